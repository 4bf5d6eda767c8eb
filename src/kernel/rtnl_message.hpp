// One rtnetlink message under construction or being read: thin words over libnl's, for the files that know one kind of
// message each.
#pragma once

#include "base/assert.hpp"
#include "base/bytes.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <optional>

namespace holdfast::kernel {

using Message = std::unique_ptr<nl_msg, decltype(&nlmsg_free)>;

inline Message new_message(std::uint16_t type, int flags, std::uint32_t sequence) {
    Message message{nlmsg_alloc(), nlmsg_free};
    HF_ASSERT(message);
    HF_ASSERT(nlmsg_put(message.get(), 0, sequence, type, 0, NLM_F_REQUEST | flags));
    return message;
}

template <typename T>
void append(nl_msg* message, T header) {
    HF_ASSERT(nlmsg_append(message, &header, sizeof header, NLMSG_ALIGNTO) == 0);
}

inline Bytes bytes_of(const Message& message) {
    const auto* header = nlmsg_hdr(message.get());
    const auto* first = reinterpret_cast<const std::uint8_t*>(header);
    Bytes out{first, first + header->nlmsg_len};
    out.resize(NLMSG_ALIGN(out.size()));
    return out;
}

/// Attributes inside attributes, as long as it lives.
class Nest {
  public:
    Nest(const Message& message, int type) : message_{message.get()}, start_{nla_nest_start(message_, type)} {
        HF_ASSERT(start_);
    }
    ~Nest() { nla_nest_end(message_, start_); }
    Nest(const Nest&) = delete;
    Nest& operator=(const Nest&) = delete;

  private:
    nl_msg* message_;
    nlattr* start_;
};

/// libnl's parser wants a mutable header but does not write to it.
inline nlmsghdr* mutable_header(const nlmsghdr& header) {
    return const_cast<nlmsghdr*>(&header); // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

template <typename Header, std::size_t Max>
std::optional<std::array<nlattr*, Max + 1>> attributes(const nlmsghdr& message) {
    std::array<nlattr*, Max + 1> table{};
    if (nlmsg_parse(mutable_header(message), sizeof(Header), table.data(), static_cast<int>(Max), nullptr) < 0)
        return std::nullopt;
    return table;
}

} // namespace holdfast::kernel
