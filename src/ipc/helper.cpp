#include "ipc/helper.hpp"

#include "base/assert.hpp"
#include "ipc/codec.hpp"
#include "ipc/connect.hpp"
#include "ipc/pidfd.hpp"

#include <algorithm>
#include <csignal>
#include <fmt/format.h>
#include <sys/wait.h>
#include <utility>

namespace holdfast::ipc {

namespace {

constexpr int messages_a_call = 64;

/// What ends a subscription.
Request ending(const Request& request) {
    const WatchId id = id_of(request);
    if (std::holds_alternative<StartHttp>(request) || std::holds_alternative<StartTcp>(request) ||
        std::holds_alternative<SendMail>(request) || std::holds_alternative<StartCarrier>(request))
        return Stop{id};
    return Unwatch{id};
}

} // namespace

Helper::Helper(Options options) : options_{std::move(options)} {
    HF_ASSERT((!options_.command.empty() || !options_.socket.empty()) && epoll_.fd() >= 0);
}

Helper::~Helper() {
    if (child_.pid <= 0) return;
    send_signal(child_.pidfd, SIGKILL);
    siginfo_t info{};
    ::waitid(P_PIDFD, static_cast<id_t>(child_.pidfd.get()), &info, WEXITED);
}

std::vector<HelperEvent> Helper::start(Time now) {
    Events events;
    launch(now, events);
    return events;
}

void Helper::launch(Time now, Events& events) {
    retry_at_ = never;
    auto socket = options_.socket.empty() ? start_child() : connect();
    if (!socket) return failed(socket.error(), now, events);
    channel_ = Channel{std::move(*socket)};
    started_at_ = now;
    pending_ = wanted_;
    if (!options_.socket.empty()) untaken_since_ = now;
    epoll_.set(channel_.fd(), EPOLLIN);
    wants_room_ = false;
    events.emplace_back(HelperStarted{child_.pid});
    flush(now);
}

Result<Fd> Helper::start_child() {
    auto pair = channel_pair();
    if (!pair) return unexpected{pair.error()};
    auto child = spawn(options_.command, pair->second);
    if (!child) return unexpected{child.error()};
    child_ = std::move(*child);
    epoll_.set(child_.pidfd.get(), EPOLLIN);
    return std::move(pair->first);
}

Result<Fd> Helper::connect() const {
    auto socket = connect_to(options_.socket);
    if (socket) return socket;
    return unexpected{fmt::format("{}; systemctl status {}.socket", socket.error(), options_.name)};
}

Result<void> Helper::subscribe(const Request& request, Time now) {
    if (auto checked = valid(request); !checked) return checked;
    const WatchId id = id_of(request);
    HF_ASSERT(!std::holds_alternative<Stop>(request) && !std::holds_alternative<Unwatch>(request));
    wanted_.insert_or_assign(id, request);
    if (!channel_) return {};
    pending_.insert_or_assign(id, request);
    flush(now);
    return {};
}

void Helper::unsubscribe(WatchId id, Time now) {
    const auto wanted = wanted_.find(id);
    if (wanted == wanted_.end()) return;
    const Request end_of_it = ending(wanted->second);
    wanted_.erase(wanted);
    pending_.erase(id);
    if (!told_.contains(id)) return;
    pending_.insert_or_assign(id, end_of_it);
    flush(now);
}

// What does not fit stays pending; the socket tells when there is room.
void Helper::flush(Time now) {
    while (channel_ && !pending_.empty()) {
        const auto next = pending_.begin();
        const auto bytes = encode(next->second);
        HF_ASSERT(bytes.has_value()); // `subscribe` has checked it
        const Sent sent = channel_.send(*bytes);
        if (sent == Sent::closed) return; // its end will be read
        if (sent == Sent::full) {
            if (blocked_since_ == never) blocked_since_ = now;
            return want_room(true);
        }
        blocked_since_ = never;
        if (wanted_.contains(next->first))
            told_.insert(next->first);
        else
            told_.erase(next->first);
        pending_.erase(next);
    }
    blocked_since_ = never;
    want_room(false);
}

void Helper::want_room(bool wanted) {
    if (channel_ && std::exchange(wants_room_, wanted) != wanted)
        epoll_.set(channel_.fd(), wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

std::vector<HelperEvent> Helper::on_readable(Time now) {
    Events events;
    const bool spoke = receive(events);
    flush(now);
    if (!spoke || !condemned_.empty())
        collect(now, events); // the end of one that spoke first makes fd() readable again
    return events;
}

// True: it said something.
bool Helper::receive(Events& events) {
    bool spoke = false;
    for (int i = 0; channel_ && i < messages_a_call; ++i) {
        auto packet = channel_.receive();
        if (!packet) {
            if (packet.error() == Nothing::ever) condemn("closed its socket");
            break;
        }
        spoke = true;
        untaken_since_ = never;
        if (!accept(*packet, events)) break;
        serves(events);
    }
    return spoke;
}

// A helper that says what it must not is as good as dead: its state can't be known. False: it has been condemned.
bool Helper::accept(Packet& packet, Events& events) {
    const auto refuse = [this](std::string_view why) {
        condemn(fmt::format("sent a malformed message ({})", why));
        return false;
    };
    if (packet.truncated) return refuse("longer than 64 KiB");
    auto report = decode_report(packet.bytes);
    if (!report) return refuse(report.error());
    // Descriptors that we had no room for: without knowing which, none can be matched to its process. The processes are
    // still listed; their ends are then seen by the scans.
    if (packet.lost_descriptors)
        packet.fds.clear();
    else if (packet.fds.size() != descriptors_of(*report))
        return refuse("another number of descriptors than it says");
    if (wanted_.contains(std::visit([](const auto& each) { return each.id; }, *report)))
        events.emplace_back(Reported{*std::move(report), std::move(packet.fds)});
    return true;
}

// SIGKILL also when a child seems to be gone: its end of the socket may be closed while it hangs. A unit is systemd's to kill
// (WatchdogSec=); the next one answers the next connection.
void Helper::condemn(std::string reason) {
    epoll_.remove(channel_.fd());
    channel_ = Channel{};
    told_.clear();
    pending_.clear();
    blocked_since_ = untaken_since_ = never;
    condemned_ = std::move(reason);
    if (child_.pid > 0) send_signal(child_.pidfd, SIGKILL);
}

// Never waits: until the process has ended, its pidfd stays in the epoll set and calls again.
void Helper::collect(Time now, Events& events) {
    if (!options_.socket.empty() && !condemned_.empty())
        return failed(fmt::format("{} (journalctl -u {})", std::exchange(condemned_, {}), options_.name), now, events);
    if (child_.pid <= 0) return;
    siginfo_t info{};
    const int result = ::waitid(P_PIDFD, static_cast<id_t>(child_.pidfd.get()), &info, WEXITED | WNOHANG);
    if (result == 0 && info.si_pid == 0) return; // still there
    if (channel_) condemn("ended");
    const std::string how = result == 0 ? describe_exit(info.si_status, info.si_code) : "collected by somebody else";
    epoll_.remove(child_.pidfd.get());
    child_ = Child{};
    failed(fmt::format("{} ({})", condemned_, how), now, events);
}

void Helper::failed(std::string reason, Time now, Events& events) {
    if (started_at_ != never && now - started_at_ >= options_.healthy_after) deaths_ = 0;
    const unsigned doublings = std::min(deaths_, 16U);
    const Duration retry = std::min(options_.first_retry * (1U << doublings), options_.longest_retry);
    ++deaths_;
    started_at_ = never;
    retry_at_ = now + retry;
    doubted_ = true;
    events.emplace_back(HelperDied{fmt::format("{}: {}", options_.name, reason), deaths_, retry});
}

void Helper::serves(Events& events) {
    if (std::exchange(doubted_, false)) events.emplace_back(HelperServes{});
}

Time Helper::next_deadline() const {
    const Time since = std::min(blocked_since_, untaken_since_);
    if (since != never) return since + options_.stuck_after;
    return doubted_ && channel_ ? started_at_ + options_.convinced_after : retry_at_;
}

std::vector<HelperEvent> Helper::on_deadline(Time now) {
    Events events;
    if (now < next_deadline()) return events;
    if (blocked_since_ != never || (untaken_since_ != never && channel_.unread()))
        condemn("did not take its messages");
    else if (std::exchange(untaken_since_, never) != never || channel_)
        serves(events);
    else
        launch(now, events);
    collect(now, events); // of a child its pidfd may say it later
    return events;
}

} // namespace holdfast::ipc
