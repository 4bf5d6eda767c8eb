// Netlink attributes (linux/netlink.h, struct nlattr) read out of bytes that are believed only as far as they reach. Without
// libnl, so that what stands on it can be fuzzed alone.
#pragma once

#include "base/bytes.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <linux/netlink.h>
#include <optional>
#include <string>

namespace holdfast::kernel {

/// A table of the attributes 1 to `Max`; unknown ones are skipped, of one that comes twice the last counts.
template <std::size_t Max>
class Attributes {
  public:
    /// Nothing when a length does not fit, wherever that is.
    static std::optional<Attributes> parse(ByteView bytes) {
        constexpr unsigned type_mask = 0x3fff; // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
        Attributes result;
        while (!bytes.empty()) {
            nlattr header{};
            if (bytes.size() < sizeof header) return std::nullopt;
            std::memcpy(&header, bytes.data(), sizeof header);
            if (header.nla_len < sizeof header || header.nla_len > bytes.size()) return std::nullopt;
            const std::size_t type = header.nla_type & type_mask;
            if (type <= Max) result.values_[type] = bytes.first(header.nla_len).subspan(sizeof header);
            bytes = bytes.subspan(std::min(bytes.size(), (header.nla_len + std::size_t{3}) & ~std::size_t{3}));
        }
        return result;
    }

    bool has(std::size_t type) const { return values_[type].has_value(); }
    std::optional<ByteView> bytes(std::size_t type) const { return values_[type]; }

    /// In the order of bytes that it has there. Nothing when it is absent or of another size.
    template <typename Number>
    std::optional<Number> number(std::size_t type) const {
        const auto& value = values_[type];
        if (!value || value->size() != sizeof(Number)) return std::nullopt;
        Number result{};
        std::memcpy(&result, value->data(), sizeof result);
        return result;
    }
    /// Nothing when it is there and of another size.
    template <typename Number>
    std::optional<Number> number_or(std::size_t type, Number fallback) const {
        return has(type) ? number<Number>(type) : fallback;
    }

    /// Up to its NUL, which has to be there, at most `longest` bytes.
    std::optional<std::string> text(std::size_t type, std::size_t longest) const {
        const auto& value = values_[type];
        if (!value) return std::nullopt;
        const auto end = std::ranges::find(*value, std::uint8_t{0});
        const auto size = static_cast<std::size_t>(end - value->begin());
        if (size == value->size() || size > longest) return std::nullopt;
        return std::string{value->begin(), end};
    }

  private:
    std::array<std::optional<ByteView>, Max + 1> values_{};
};

} // namespace holdfast::kernel
