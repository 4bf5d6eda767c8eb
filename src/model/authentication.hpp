// How the adverts of an instance prove where they come from. A finished value is usable as it is: a key set that could not
// sign or check anything never leaves config/, so nothing here can fail open.
#pragma once

#include "base/bytes.hpp"
#include "base/time.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <variant>
#include <vector>

namespace holdfast::model {

/// Plain-text password of VRRPv2 (RFC 2338 5.3.6.1), zero padded: keeps strangers' mistakes out, not attackers.
struct PassAuthentication {
    std::array<std::uint8_t, 8> key{};
    bool operator==(const PassAuthentication&) const = default;
};

/// IPsec authentication header of VRRPv2 over IPv4 (RFC 2338 5.3.6.3): HMAC-MD5 with a key of 8 bytes, zero padded.
struct AhAuthentication {
    std::array<std::uint8_t, 8> key{};
    bool operator==(const AhAuthentication&) const = default;
};

/// One key of a key set. On the wire it is known by its id, 1 to 255.
struct HmacKey {
    std::uint8_t id{};
    Bytes secret; ///< 32 to 64 bytes
    bool operator==(const HmacKey&) const = default;
};

/// What an advert without signature is worth, and whether ours have one: the three steps of a roll-out.
enum class HmacMode : std::uint8_t {
    enforce,      ///< sign, and accept only what is signed
    permissive,   ///< sign, and accept what is not signed: hosts that don't know the trailer drop what we send
    receive_only, ///< don't sign yet, but check what is signed
};

/// What makes a sequence number new.
enum class AntiReplay : std::uint8_t {
    time,      ///< within `time_window` of this host's clock, and above the sender's last
    monotonic, ///< above the sender's last, whatever the clocks say
};

/// HMAC-SHA256 trailer (draft-cassen-vrrp-auth-hmac), any version and family.
struct HmacAuthentication {
    std::vector<HmacKey> keys; ///< sorted by id, not empty; all of them check, one signs
    std::uint8_t active_key{}; ///< its id
    HmacMode mode{HmacMode::enforce};
    AntiReplay anti_replay{AntiReplay::time};
    std::optional<Duration> time_window; ///< nothing: three advert intervals, at least 5 s
    bool operator==(const HmacAuthentication&) const = default;

    const HmacKey* find(std::uint8_t id) const {
        for (const auto& key : keys)
            if (key.id == id) return &key;
        return nullptr;
    }
    Duration window(Duration advert_interval) const {
        return time_window.value_or(std::max<Duration>(3 * advert_interval, 5s));
    }
};

using Authentication = std::variant<PassAuthentication, AhAuthentication, HmacAuthentication>;

} // namespace holdfast::model
