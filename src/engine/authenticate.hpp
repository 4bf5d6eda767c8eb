// Puts proof on what leaves and checks the proof of what comes in, as the instance's `authentication:` says. Whatever is not
// configured is refused by name; nothing here can be switched off by what is on the wire.
#pragma once

#include "engine/action.hpp"
#include "engine/event.hpp"
#include "engine/replay.hpp"
#include "model/instance.hpp"

#include <memory>
#include <optional>

namespace holdfast::engine {

/// Now, on the two clocks that count.
struct Clocks {
    Time now{};
    WallTime wall{};
};

/// What the message itself says: type and data (RFC 2338 5.3.6).
void fill_authentication(wire::Advert&, const model::Instance&);

/// Nothing is wrong, or the reason. Changes nothing (N9).
std::optional<wire::Reject> unproven(const model::Instance&, const Replay&, const AdvertReceived&, Clocks);
/// The advert was accepted: its number is used up.
void use_up(const model::Instance&, Replay&, const AdvertReceived&, Clocks);
/// How far the sender's clock is from ours, when that is more than half the window; signatures are all that shows it.
std::optional<Duration> clock_difference(const model::Instance&, const AdvertReceived&, Clocks);

/// Each copy has a number of its own on the wire.
bool needs_number(const model::Instance&);
/// Takes the action's plain message and gives it the proof; false when OpenSSL refuses, and nothing may be sent then.
bool prove(const model::Instance&, Replay&, SendAdvert&, Clocks);

} // namespace holdfast::engine
