// Bounded reading and writing of network-order bytes. The reader never reads past its end: every getter says whether there
// was enough, and a parser that ignores that does not compile ([[nodiscard]]).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace holdfast {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

class Reader {
  public:
    explicit Reader(ByteView bytes) : rest_{bytes} {}

    [[nodiscard]] std::optional<std::uint8_t> u8() {
        const auto part = take(1);
        if (!part) return std::nullopt;
        return (*part)[0];
    }
    [[nodiscard]] std::optional<std::uint16_t> u16() {
        const auto part = take(2);
        if (!part) return std::nullopt;
        return static_cast<std::uint16_t>((*part)[0] << 8 | (*part)[1]);
    }
    [[nodiscard]] std::optional<ByteView> take(std::size_t count) {
        if (rest_.size() < count) return std::nullopt;
        const auto part = rest_.first(count);
        rest_ = rest_.subspan(count);
        return part;
    }
    std::size_t left() const { return rest_.size(); }

  private:
    ByteView rest_;
};

inline void put(Bytes& out, ByteView part) {
    out.insert(out.end(), part.begin(), part.end());
}
inline void put8(Bytes& out, unsigned value) {
    out.push_back(static_cast<std::uint8_t>(value));
}
inline void put16(Bytes& out, unsigned value) {
    put8(out, value >> 8);
    put8(out, value);
}
inline void put32(Bytes& out, std::uint32_t value) {
    put16(out, value >> 16);
    put16(out, value & 0xffffU);
}

} // namespace holdfast
