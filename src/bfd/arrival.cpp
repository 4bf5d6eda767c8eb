#include "bfd/arrival.hpp"

namespace holdfast::bfd {

std::optional<wire::BfdReject> unacceptable(const model::BfdTracker& settings, const Session& session,
                                            const Arrival& arrival) {
    constexpr unsigned as_sent = 255;
    const auto& packet = arrival.packet;
    const bool names_another =
        packet.your_discriminator != 0 && packet.your_discriminator != session.local_discriminator;
    if (arrival.source != settings.neighbor || arrival.multihop != settings.multihop || names_another)
        return wire::BfdReject::stranger;
    if (settings.source && arrival.destination != *settings.source) return wire::BfdReject::stranger;
    if (arrival.hop_limit + settings.hops() < as_sent) return wire::BfdReject::hop_limit;
    return std::nullopt;
}

} // namespace holdfast::bfd
