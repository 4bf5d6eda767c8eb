// Any bytes as an HTTP request, whole and in pieces, and as what the daemon says: no crash, the same status whatever the
// pieces, and no line of the answer that a sample's value broke.

#include "metrics/families.hpp"
#include "metrics/request.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace holdfast::metrics;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text{reinterpret_cast<const char*>(data), size};
    Request whole, pieces;
    whole.feed(text);
    for (std::size_t i = 0; i < size; i += 3)
        pieces.feed(std::string_view{text}.substr(i, 3));
    const auto refused = [](int status) { return status != 0 && status != 200; };
    if (whole.status() != pieces.status() && !(refused(whole.status()) && refused(pieces.status()))) std::abort();
    for (const auto names : {Names::holdfast, Names::keepalived})
        if (const auto found = families(text, names, 0)) {
            const auto shown = render(*found, Format::open_metrics);
            if (!shown.ends_with("# EOF\n")) std::abort();
        }
    return 0;
}
