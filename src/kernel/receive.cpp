#include "kernel/receive.hpp"

#include "kernel/control.hpp"
#include "wire/proof.hpp"

#include <algorithm>
#include <array>
#include <time.h>

namespace holdfast::kernel {
namespace {

constexpr std::size_t batch = 32; ///< datagrams a system call
/// A packet's time in our queue, while its socket rests; more is a clock that was set, or a paused machine.
constexpr Duration longest_wait = 3ms;
constexpr std::size_t packet_size = 2048;
constexpr std::size_t control_size = 128;

engine::Event interpret(LinkIndex link, const Result<wire::Packet, wire::Reject>& packet, const IpAddress& source) {
    if (!packet) return engine::AdvertRejected{link, source, {}, std::nullopt, packet.error()};
    const auto& destination = packet->destination;
    auto advert = wire::decode_signed(*packet);
    if (!advert)
        return engine::AdvertRejected{link, source, destination, wire::peek_vrid(packet->payload), advert.error()};
    return engine::AdvertReceived{
        link, source, destination, std::move(advert->advert), packet->hop_limit, std::move(advert->proof)};
}

engine::Event interpret_ah(LinkIndex link, ByteView bytes, const IpAddress& source) {
    auto parsed = wire::parse_ah(bytes);
    if (!parsed) return engine::AdvertRejected{link, source, {}, wire::peek_ah_vrid(bytes), parsed.error()};
    auto event = interpret(link, parsed->packet, source);
    if (auto* received = std::get_if<engine::AdvertReceived>(&event)) received->proof = std::move(parsed->proof);
    return event;
}

engine::Event interpret_ipv6(LinkIndex link, ByteView bytes, const IpAddress& source, const Control& control) {
    const wire::Packet packet{source, control.destination.value_or(IpAddress{Family::ipv6, {}}),
                              control.hop_limit.value_or(0), bytes};
    return interpret(link, packet, source);
}

Duration read_clock(clockid_t which) {
    timespec now{};
    ::clock_gettime(which, &now);
    return std::chrono::seconds{now.tv_sec} + Duration{now.tv_nsec};
}

/// Kernel stamps are wall time; deadlines are not. Both clocks are read together, once for a batch.
struct Arrival {
    Duration wall{read_clock(CLOCK_REALTIME)};
    Time now{read_clock(CLOCK_MONOTONIC)};

    Time operator()(const Control& control) const {
        return now - std::clamp(wall - control.stamp.value_or(wall), Duration::zero(), longest_wait);
    }
};

/// Buffers for one batch; one set serves all sockets, they are all read on the loop thread.
struct Batch {
    std::array<std::array<std::uint8_t, packet_size>, batch> packets{};
    std::array<std::array<char, control_size>, batch> controls{};
    std::array<sockaddr_storage, batch> sources{};
    std::array<iovec, batch> parts{};
    std::array<mmsghdr, batch> messages{};

    int receive(int fd) {
        for (std::size_t i = 0; i < batch; ++i) {
            parts[i] = {packets[i].data(), packets[i].size()};
            auto& header = messages[i].msg_hdr;
            header = {};
            header.msg_name = &sources[i];
            header.msg_namelen = sizeof sources[i];
            header.msg_iov = &parts[i];
            header.msg_iovlen = 1;
            header.msg_control = controls[i].data();
            header.msg_controllen = control_size;
        }
        return ::recvmmsg(fd, messages.data(), batch, MSG_DONTWAIT, nullptr);
    }
    ByteView bytes(std::size_t i) const {
        return ByteView{packets[i]}.first(std::min<std::size_t>(messages[i].msg_len, packet_size));
    }
};

Batch& buffers() {
    static Batch instance;
    return instance;
}

} // namespace

std::size_t receive_adverts(const Fd& socket, AdvertSocket kind, LinkIndex link, std::uint32_t& dropped,
                            const DeliverArrived& deliver) {
    auto& in = buffers();
    std::size_t total = 0;
    for (int count = static_cast<int>(batch); count == static_cast<int>(batch);) {
        count = in.receive(socket.get());
        if (count > 0) total += static_cast<std::size_t>(count);
        const Arrival arrival;
        for (std::size_t i = 0; count > 0 && i < static_cast<std::size_t>(count); ++i) {
            const auto source = address_of(in.sources[i]);
            const auto control = read_control(in.messages[i].msg_hdr);
            if (control.dropped && *control.dropped != dropped) {
                dropped = *control.dropped;
                deliver(engine::QueueOverflowed{link}, arrival(control));
            }
            const auto bytes = in.bytes(i);
            deliver(kind == AdvertSocket::ipv4      ? interpret(link, wire::parse_ipv4(bytes), source)
                    : kind == AdvertSocket::ipv4_ah ? interpret_ah(link, bytes, source)
                                                    : interpret_ipv6(link, bytes, source, control),
                    arrival(control));
        }
    }
    return total;
}

} // namespace holdfast::kernel
