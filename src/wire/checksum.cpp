#include "wire/checksum.hpp"

namespace holdfast::wire {

void Checksum::add(ByteView bytes) {
    std::size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2)
        sum_ += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
    if (i < bytes.size()) sum_ += static_cast<std::uint32_t>(bytes[i] << 8);
}

void Checksum::add_pseudo_header(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                 std::size_t length) {
    add(source.span());
    add(destination.span());
    add16(protocol);
    add16(static_cast<std::uint32_t>(length));
}

std::uint16_t Checksum::finish() const {
    auto folded = sum_;
    while (folded >> 16)
        folded = (folded & 0xffff) + (folded >> 16);
    return static_cast<std::uint16_t>(~folded);
}

} // namespace holdfast::wire
