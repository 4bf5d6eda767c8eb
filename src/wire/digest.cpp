#include "wire/digest.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace holdfast::wire {
namespace {

template <std::size_t Size>
std::optional<std::array<std::uint8_t, Size>> hmac(const EVP_MD* algorithm, ByteView key, ByteView data) {
    std::array<std::uint8_t, Size> result{};
    unsigned size = 0;
    const auto* done =
        ::HMAC(algorithm, key.data(), static_cast<int>(key.size()), data.data(), data.size(), result.data(), &size);
    if (!done || size != Size) return std::nullopt;
    return result;
}

} // namespace

std::optional<std::array<std::uint8_t, 16>> hmac_md5(ByteView key, ByteView data) {
    return hmac<16>(::EVP_md5(), key, data);
}

std::optional<std::array<std::uint8_t, 32>> hmac_sha256(ByteView key, ByteView data) {
    return hmac<32>(::EVP_sha256(), key, data);
}

bool equal_digests(ByteView a, ByteView b) {
    return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace holdfast::wire
