// Keyed digests (RFC 2104): the only door to OpenSSL of the rooms that decide. Pure functions of their arguments; nothing is
// when OpenSSL refuses an algorithm (MD5 where only approved ones are allowed).
#pragma once

#include "base/bytes.hpp"

#include <array>
#include <optional>

namespace holdfast::wire {

std::optional<std::array<std::uint8_t, 16>> hmac_md5(ByteView key, ByteView data);
std::optional<std::array<std::uint8_t, 32>> hmac_sha256(ByteView key, ByteView data);

/// Takes the same time wherever the first difference is.
bool equal_digests(ByteView, ByteView);

} // namespace holdfast::wire
