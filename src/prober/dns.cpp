#include "prober/dns.hpp"

#include <algorithm>
#include <arpa/nameser.h>
#include <array>
#include <fmt/format.h>
#include <resolv.h>

namespace holdfast::prober {

namespace {

constexpr std::size_t header_size = NS_HFIXEDSZ;
constexpr std::size_t type_and_class = 4;
constexpr unsigned recursion_desired = 0x0100;

std::string rcode_name(unsigned code) {
    constexpr std::array names = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
    return code < names.size() ? names[code] : fmt::format("RCODE {}", code);
}

std::uint8_t lower(std::uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<std::uint8_t>(byte + 32) : byte;
}

/// A server may write the letters of the name its own way (RFC 1035 2.3.3); type and class are numbers.
bool is_same_question(ByteView asked, ByteView repeated) {
    const auto name = asked.size() - type_and_class;
    return std::ranges::equal(asked.first(name), repeated.first(name), {}, lower, lower) &&
           std::ranges::equal(asked.subspan(name), repeated.subspan(name));
}

bool is_whole(ByteView datagram) {
    ns_msg message{};
    return ::ns_initparse(datagram.data(), static_cast<int>(datagram.size()), &message) == 0;
}

class DnsTalk : public Talk {
  public:
    explicit DnsTalk(std::optional<Bytes> query) : query_{std::move(query)} {}

    std::optional<Outcome> begin(int fd) override {
        if (!query_) return our_fault("the name to ask for is no domain name");
        if (::send(fd, query_->data(), query_->size(), MSG_NOSIGNAL) >= 0) return std::nullopt;
        return failure("cannot send", errno);
    }
    std::optional<Outcome> on_ready(int fd) override {
        std::array<std::uint8_t, NS_PACKETSZ> buffer; // NOLINT: filled by recv; no EDNS is offered, so 512 bytes
        for (int i = 0; i < 8; ++i) {                 // then the others' turn
            const auto datagram = receive(fd, buffer);
            if (!datagram) return failure("unreachable", datagram.error());
            if (!*datagram) return std::nullopt;
            if ((*datagram)->size > buffer.size()) continue;
            if (auto outcome = dns_answer(*query_, (*datagram)->bytes)) return outcome;
        }
        return std::nullopt;
    }
    Outcome at_deadline(Duration timeout) const override {
        return {.detail = fmt::format("no answer within {}", to_string(timeout))};
    }

  private:
    std::optional<Bytes> query_;
};

} // namespace

std::optional<Bytes> dns_query(const model::DnsCheck& check, std::uint16_t number) {
    Bytes query;
    put16(query, number);
    put16(query, recursion_desired);
    put16(query, 1); // question
    for (int i = 0; i < 3; ++i)
        put16(query, 0);
    std::array<std::uint8_t, NS_MAXCDNAME> name{};
    const int size = ::dn_comp(check.name.c_str(), name.data(), static_cast<int>(name.size()), nullptr, nullptr);
    if (size <= 0) return std::nullopt;
    put(query, ByteView{name}.first(static_cast<std::size_t>(size)));
    put16(query, static_cast<unsigned>(check.type));
    put16(query, ns_c_in);
    return query;
}

std::optional<Outcome> dns_answer(ByteView query, ByteView datagram) {
    Reader reader{datagram};
    const auto number = reader.u16();
    const auto flags = reader.u16();
    const auto questions = reader.u16();
    if (!number || !flags || !questions || datagram.size() < header_size) return std::nullopt;
    constexpr unsigned is_answer = 0x8000;
    constexpr unsigned opcode = 0x7800;
    if (*number != (query[0] << 8 | query[1]) || (*flags & is_answer) == 0 || (*flags & opcode) != 0)
        return std::nullopt;
    const unsigned code = *flags & 0x000fU;
    // A server that could not read the question leaves it out.
    if (*questions == 0 && code != 0) return Outcome{.detail = rcode_name(code)};
    const auto asked = query.subspan(header_size);
    if (*questions != 1 || datagram.size() < query.size() ||
        !is_same_question(asked, datagram.subspan(header_size, asked.size())))
        return std::nullopt;
    if (code != 0) return Outcome{.detail = rcode_name(code)};
    if (!is_whole(datagram)) return Outcome{.detail = "a malformed answer"};
    return Outcome{.ok = true, .detail = rcode_name(code)};
}

Conversation dns_probe(const model::DnsCheck& check, std::uint16_t number) {
    return {.type = SOCK_DGRAM, .talk = std::make_unique<DnsTalk>(dns_query(check, number))};
}

} // namespace holdfast::prober
