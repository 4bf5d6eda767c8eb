#include "daemon/wires.hpp"

#include "engine/router.hpp"

#include <algorithm>
#include <fcntl.h>
#include <fmt/format.h>

namespace holdfast::daemon {
namespace {

// From this many adverts in one or two windows on, the next ones are taken together, a little later.
constexpr Duration crowd_window = 10ms;
constexpr std::size_t crowd = 20;
constexpr Duration rest = 2ms; // shorter than anything that hangs on one advert; deadlines come behind the look

Fd copy_of(int fd) {
    return Fd{::fcntl(fd, F_DUPFD_CLOEXEC, 0)};
}

} // namespace

Wires::Names Wires::names_of(LinkIndex link, Family family) {
    const auto which = fmt::format("{}-{}", family == Family::ipv4 ? "ip4" : "ip6", link.value);
    return {"advert-" + which, "ah-" + which};
}

void Wires::opened(kernel::SocketsOpened opened) {
    if (!opened.sockets)
        return door_.deliver(engine::ListenDone{opened.link, opened.family, opened.sockets.error()}, door_.now());
    if (const auto* wanted = packets_.wanted(opened.link, opened.family))
        if (const int error = (*opened.sockets)->listen_for(*wanted))
            return door_.deliver(engine::ListenDone{opened.link, opened.family, error}, door_.now());
    auto& sockets = packets_.add(opened.link, opened.family, std::move(*opened.sockets));
    const int fd = sockets.advert_fd();
    wires_[fd] = {.sockets = &sockets};
    door_.watch(fd, [this, fd] { on_adverts(fd); });
    if (sockets.ah_fd() >= 0) door_.watch(sockets.ah_fd(), [this, fd] { on_adverts(fd); });
    door_.watch(sockets.announcement_fd(), [this, &sockets] {
        sockets.read_announcements([this](const engine::Event& event) { door_.deliver(event, door_.now()); });
    });
    const auto names = names_of(opened.link, opened.family);
    door_.keep(names.adverts, copy_of(fd));
    if (sockets.ah_fd() >= 0) door_.keep(names.ah, copy_of(sockets.ah_fd()));
    door_.deliver(engine::ListenDone{opened.link, opened.family, 0}, door_.now());
}

std::unique_ptr<kernel::LinkSockets> Wires::listen_for(const engine::ListenFor& action) {
    const int error = packets_.listen_for(action);
    if (error == 0) return nullptr;
    auto useless = closed({action.link, action.family});
    packets_.listen_for(action); // for those that are opened next
    door_.deliver(engine::ListenDone{action.link, action.family, error}, door_.now());
    return useless;
}

std::unique_ptr<kernel::LinkSockets> Wires::closed(const engine::Unlisten& action) {
    auto sockets = packets_.remove(action.link, action.family);
    if (!sockets) return nullptr;
    wires_.erase(sockets->advert_fd());
    door_.unwatch(sockets->advert_fd());
    if (sockets->ah_fd() >= 0) door_.unwatch(sockets->ah_fd());
    door_.unwatch(sockets->announcement_fd());
    auto names = names_of(action.link, action.family);
    door_.forget(std::move(names.adverts));
    if (sockets->ah_fd() >= 0) door_.forget(std::move(names.ah));
    return sockets;
}

/// Takes everything that waits, for deliver_heard(). False: there was nothing.
bool Wires::read(Wire& wire) {
    const auto count = wire.sockets->read_adverts(
        [this](engine::Event&& event, Time arrived) { heard_.emplace_back(std::move(event), arrived); });
    const auto now = door_.now();
    if (const auto age = now - wire.window; age >= crowd_window) {
        wire.before = age < 2 * crowd_window ? wire.heard : 0;
        wire.heard = 0;
        wire.window = now;
    }
    wire.heard += count;
    return count > 0;
}

/// Apart from reading, because what is delivered may close a socket.
void Wires::deliver_heard() {
    if (heard_.empty()) return;
    door_.before_adverts();
    for (std::size_t i = 0; i < heard_.size(); ++i) {
        if (i + engine::ahead < heard_.size()) door_.expect(heard_[i + engine::ahead].first);
        door_.deliver(heard_[i].first, heard_[i].second);
    }
    heard_.clear();
}

void Wires::on_adverts(int fd) {
    auto& wire = wires_.at(fd);
    read(wire);
    if (wire.before + wire.heard >= crowd) {
        wire.resting = true;
        door_.enable(fd, false);
        next_look_ = std::min(next_look_, door_.now() + rest);
    }
    deliver_heard();
}

void Wires::read_watched() {
    for (auto& [fd, wire] : wires_)
        if (!wire.resting) read(wire);
    deliver_heard();
}

/// A socket rests as long as each look finds something.
void Wires::look_at_resting() {
    if (next_look_ == never) return;
    next_look_ = never;
    for (auto& [fd, wire] : wires_) {
        if (!wire.resting) continue;
        wire.resting = read(wire);
        if (wire.resting)
            next_look_ = door_.now() + rest;
        else
            door_.enable(fd, true);
    }
    deliver_heard();
}

} // namespace holdfast::daemon
