#include "kernel/ipvs_table.hpp"

#include "kernel/rtnl.hpp"
#include "kernel/socket.hpp"
#include "kernel/sysctl.hpp"

#include <algorithm>
#include <cerrno>

namespace holdfast::kernel {
namespace {

constexpr std::size_t receive_size = std::size_t{1} << 16; // a dump comes in datagrams of up to 32 KiB
constexpr std::size_t largest_slice = 256;
constexpr std::size_t largest_send = std::size_t{48} << 10; // well below what any host lets a socket send at once

class GenericChannel : public Channel {
  public:
    explicit GenericChannel(NetlinkSocket socket) : socket_{std::move(socket)}, buffer_(receive_size) {}
    int send(ByteView messages) override { return socket_.send(messages); }
    Result<ByteView, int> receive() override { return socket_.receive(buffer_); }

  private:
    NetlinkSocket socket_;
    Bytes buffer_;
};

std::vector<engine::IpvsService> services_of(const engine::IpvsListed& listed) {
    std::vector<engine::IpvsService> services;
    services.reserve(listed.services.size());
    for (const auto& each : listed.services)
        services.push_back(each.service);
    return services;
}

} // namespace

Result<std::unique_ptr<Channel>, int> open_generic_netlink() {
    auto socket = NetlinkSocket::open_generic();
    if (!socket) return unexpected{socket.error()};
    return std::make_unique<GenericChannel>(std::move(*socket));
}

/// A channel and the family's number; 0 or an errno. One question where ip_vs is missing: each lets the kernel look for it.
int IpvsTable::prepare() {
    if (!channel_) {
        auto opened = open_();
        if (!opened) return opened.error();
        channel_ = std::move(*opened);
        family_ = 0;
    }
    return family_ != 0 ? 0 : find_family();
}

int IpvsTable::find_family() {
    const auto sequence = sequence_++;
    std::optional<std::uint16_t> found;
    const int error = exchange(encode_family_request(sequence), sequence, [&](const GenericMessage& message) {
        if (const auto family = decode_family(message)) found = family;
    });
    if (error != 0) return error;
    if (!found) return EBADMSG;
    family_ = *found;
    return 0;
}

engine::IpvsDone IpvsTable::program(const engine::ProgramIpvs& batch) {
    seen_.reset();
    std::vector<int> outcomes(batch.steps.size());
    if (const int error = prepare()) {
        std::ranges::fill(outcomes, error);
    } else {
        run(batch.steps, outcomes);
        // So it looks when the module went away in the middle, or the family's number is an old one's. Loaded anew it has
        // another number, and none of these was done.
        const auto done =
            std::ranges::find_if_not(outcomes.rbegin(), outcomes.rend(), [](int e) { return e == ENOENT; });
        const auto first = static_cast<std::size_t>(outcomes.rend() - done);
        const auto before = std::exchange(family_, first < outcomes.size() ? std::uint16_t{0} : family_);
        if (first < outcomes.size() && prepare() == 0 && family_ != before)
            run(std::span{batch.steps}.subspan(first), std::span{outcomes}.subspan(first));
    }
    engine::IpvsDone done{batch.id, {}};
    for (std::uint32_t i = 0; i < outcomes.size(); ++i)
        if (outcomes[i] != 0) done.failed.emplace_back(i, outcomes[i]);
    return done;
}

void IpvsTable::run(std::span<const engine::IpvsStep> steps, std::span<int> outcomes) {
    const auto is_setting = [](const engine::IpvsStep& step) { return std::holds_alternative<engine::SetReuse>(step); };
    for (std::size_t i = 0; i < steps.size();) {
        if (is_setting(steps[i])) {
            outcomes[i] = set_ipvs_reuse(std::get<engine::SetReuse>(steps[i]).reuse);
            ++i;
            continue;
        }
        const auto rest = steps.subspan(i, std::min(largest_slice, steps.size() - i));
        const auto size = static_cast<std::size_t>(std::ranges::find_if(rest, is_setting) - rest.begin());
        execute(rest.first(size), outcomes.subspan(i, size));
        i += size;
    }
}

/// The kernel tells failures unasked, and always when an answer was lost: so only the last message asks for one.
void IpvsTable::execute(std::span<const engine::IpvsStep> slice, std::span<int> outcomes) {
    Bytes batch;
    batch.reserve(largest_send);
    std::size_t first = 0;
    for (std::size_t i = 0; i < slice.size(); ++i) {
        const bool is_last = i + 1 == slice.size() || batch.size() > largest_send;
        put(batch, encode(slice[i], next_request(is_last)));
        if (!is_last) continue;
        const auto part = outcomes.subspan(first, i + 1 - first);
        if (const int error = channel_->send(batch))
            std::ranges::fill(part, error);
        else
            collect_answers(sequence_ - static_cast<std::uint32_t>(part.size()), part);
        batch.clear();
        first = i + 1;
    }
}

void IpvsTable::collect_answers(std::uint32_t first_sequence, std::span<int> outcomes) {
    constexpr int unknown = -1;
    std::ranges::fill(outcomes, unknown);
    bool lost = false;
    while (outcomes.back() == unknown) {
        const auto bytes = channel_->receive();
        if (!bytes) {
            lost = true;
            if (bytes.error() != ENOBUFS) break;
            continue;
        }
        if (bytes->empty()) break;
        for_each_message(*bytes, [&](const nlmsghdr& message) {
            const std::size_t index = message.nlmsg_seq - first_sequence;
            if (message.nlmsg_type == NLMSG_ERROR && index < outcomes.size()) outcomes[index] = error_of(message);
        });
    }
    if (outcomes.back() == unknown) lost = true;
    std::ranges::replace(outcomes, unknown, lost ? ENOBUFS : 0);
}

std::optional<engine::IpvsListed> IpvsTable::read(bool glance) {
    constexpr int tries = 5;
    engine::IpvsListed listed;
    const auto seen = std::exchange(seen_, std::nullopt);
    for (int i = 0; i < tries; ++i) {
        listed = {};
        listed.error = prepare();
        if (listed.error != 0) break;
        listed.error = read_services(listed);
        auto services = services_of(listed);
        const bool is_seen = listed.error == 0 && glance && services == seen;
        if (listed.error == 0 && !is_seen) listed.error = read_rest(listed);
        if (listed.error == 0) seen_ = std::move(services);
        if (is_seen) return std::nullopt;
        if (listed.error == 0 || listed.error == EPERM) break;
        if (listed.error == ENOENT)
            family_ = 0; // loaded anew, or gone
        else if (listed.error != EINTR)
            channel_.reset(); // half of a dump may be left in it
    }
    if (listed.error != 0)
        return engine::IpvsListed{.services = {}, .sync = {}, .timeouts = {}, .reuse = {}, .error = listed.error};
    listed.reuse = read_ipvs_reuse();
    return listed;
}

int IpvsTable::read_services(engine::IpvsListed& into) {
    const auto request = next_request();
    const int error = exchange(encode_service_dump(request), request.sequence, [&](const GenericMessage& message) {
        if (auto service = decode_service(message)) into.services.push_back(std::move(*service));
    });
    std::ranges::sort(into.services, {}, [](const auto& listed) -> const auto& { return listed.service.key; });
    return error;
}

int IpvsTable::read_rest(engine::IpvsListed& into) {
    for (auto& service : into.services)
        if (const int error = read_destinations(service)) return error;
    auto request = next_request();
    const int error = exchange(encode_sync_dump(request), request.sequence, [&](const GenericMessage& message) {
        if (auto sync = decode_sync(message)) into.sync.push_back(std::move(*sync));
    });
    if (error != 0) return error;
    request = next_request();
    return exchange(encode_timeouts_request(request), request.sequence, [&](const GenericMessage& message) {
        if (const auto timeouts = decode_timeouts(message)) into.timeouts = *timeouts;
    });
}

/// One service after the other: a socket has one dump at a time (EBUSY), and the kernel answers within the call anyway.
int IpvsTable::read_destinations(engine::IpvsListedService& of) {
    const auto& key = of.service.key;
    const auto request = next_request();
    const int error =
        exchange(encode_destination_dump(key, request), request.sequence, [&](const GenericMessage& message) {
            if (auto destination = decode_destination(message, key.family)) of.destinations.push_back(*destination);
        });
    std::ranges::sort(of.destinations, {}, [](const auto& listed) -> const auto& { return listed.destination.at; });
    return error;
}

/// 0 or an errno: EINTR when the table changed under a dump, ENOBUFS when an answer was lost.
int IpvsTable::exchange(const Bytes& request, std::uint32_t sequence,
                        const std::function<void(const GenericMessage&)>& each) {
    if (const int error = channel_->send(request)) return error;
    int result = 0;
    for (bool done = false; !done;) {
        const auto bytes = channel_->receive();
        if (!bytes && bytes.error() != ENOBUFS) return bytes.error();
        if (!bytes) {
            result = ENOBUFS;
            continue;
        }
        if (bytes->empty()) return ENOBUFS;
        for_each_message(*bytes, [&](const nlmsghdr& message) {
            if (message.nlmsg_seq != sequence) return;
            if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0 && result == 0) result = EINTR;
            if (message.nlmsg_type == NLMSG_DONE || message.nlmsg_type == NLMSG_ERROR) {
                done = true;
                const int error = message.nlmsg_type == NLMSG_DONE ? dump_error_of(message) : error_of(message);
                if (error != 0) result = error;
            } else if (const auto generic = generic_message(message)) {
                each(*generic);
            }
        });
    }
    return result;
}

} // namespace holdfast::kernel
