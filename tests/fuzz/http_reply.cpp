// Any bytes as the replies to a plain HTTP request: no crash, the same whatever the pieces, nothing of a body that did not come, and
// what is complete has a status. The first byte chooses the length of the pieces, and with bit 7 a request of HEAD.

#include "prober/http_reply.hpp"

#include <cstdlib>

using holdfast::prober::HttpReader;
using Found = HttpReader::Found;

namespace {

void must(bool condition) {
    if (!condition) std::abort();
}

struct Seen {
    Found end;
    unsigned status;
    std::string problem, body;
    bool operator==(const Seen&) const = default;
};

Seen read(std::string_view text, std::size_t piece, bool is_head) {
    HttpReader reader{is_head};
    std::string body;
    auto found = Found::more;
    while (found == Found::more && !text.empty()) {
        auto part = text.substr(0, piece);
        text.remove_prefix(part.size());
        while ((found = reader.take(part)) == Found::body) {
            must(!reader.part().empty());
            body += reader.part();
        }
        must(found != Found::more || part.empty());
    }
    if (found == Found::more) found = reader.hung_up();
    must(found != Found::more && found != Found::body);
    must(found != Found::complete || (reader.status() >= 100 && reader.status() <= 999));
    must((found == Found::malformed) == !reader.problem().empty());
    return {found, reader.status(), std::string{reader.problem()}, std::move(body)};
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const bool is_head = (data[0] & 0x80U) != 0;
    const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
    const auto whole = read(text, text.size() + 1, is_head);
    must(whole.body.size() <= text.size() && (!is_head || whole.body.empty()));
    must(read(text, 1, is_head) == whole && read(text, 1 + (data[0] & 0x7fU), is_head) == whole);
    return 0;
}
