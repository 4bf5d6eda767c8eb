// Any bytes as what a mail server says, as a datagram that may answer a DNS query, and as a packet of the prober's protocol
// from either end: no crash, replies whatever the pieces, and what decodes encodes to the same bytes.

#include "ipc/codec.hpp"
#include "prober/dns.hpp"
#include "prober/smtp.hpp"

#include <cstdlib>

using namespace holdfast;

namespace {

void must(bool condition) {
    if (!condition) std::abort();
}

std::vector<unsigned> codes_of(std::string_view text, std::size_t piece) {
    prober::SmtpReader reader;
    std::vector<unsigned> codes;
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
        auto part = text.substr(0, piece);
        while (!part.empty()) {
            const auto found = reader.take(part);
            if (found == prober::SmtpReader::Found::malformed || found == prober::SmtpReader::Found::too_long)
                return codes;
            if (found == prober::SmtpReader::Found::reply) codes.push_back(reader.code());
        }
    }
    return codes;
}

void try_dns(ByteView bytes) {
    static const auto query = *prober::dns_query({.name = "example.org", .type = model::DnsType::a}, 0x1234);
    if (const auto outcome = prober::dns_answer(query, bytes)) must(outcome->ok || !outcome->detail.empty());
    // An answer to this very query, so that the fuzzer need not find its number and question first.
    Bytes answer = query;
    answer[2] |= 0x80;
    for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 6); ++i)
        answer[6 + i] = bytes[i]; // how many records
    put(answer, bytes.subspan(std::min<std::size_t>(bytes.size(), 6)));
    must(prober::dns_answer(query, answer).has_value());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes{data, size};
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    must(codes_of(text, 1) == codes_of(text, std::max<std::size_t>(size, 1)));
    try_dns(bytes);
    if (const auto request = ipc::decode_request(bytes)) must(ipc::encode(*request) == Bytes(data, data + size));
    if (const auto report = ipc::decode_report(bytes)) must(ipc::encode(*report) == Bytes(data, data + size));
    return 0;
}
