#include "bus/private_socket.hpp"

#include "bus/names.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace holdfast::bus {
namespace {

constexpr std::string_view caller_prefix = ":private.";
constexpr Duration rest = 1s;
constexpr mode_t mode = 0660; ///< the daemon's own group may look; who may act is decided by the user

/// Bound under the daemon's umask, which lets nobody in, and opened to the group before anybody can connect.
Fd listen_at(const std::filesystem::path& path, std::string& problem) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.string().size() >= sizeof address.sun_path) {
        problem = fmt::format("{} is too long for a socket (107 bytes): choose a shorter --runtime-dir", path.string());
        return {};
    }
    std::memcpy(address.sun_path, path.c_str(), path.string().size());
    ::unlink(path.c_str()); // of a daemon that died: this one has the lock
    Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (fd && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
        ::chmod(path.c_str(), mode) == 0 && ::listen(fd.get(), 16) == 0)
        return fd;
    problem = fmt::format("can't listen at {}: {}; holdfastctl needs the bus", path.string(), std::strerror(errno));
    return {};
}

std::optional<uid_t> user_behind(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
    return peer.uid;
}

bool is_for_us(const char* destination) {
    if (destination == nullptr) return true;
    const std::string_view name{destination};
    return name == bus_name || name == private_owner;
}

} // namespace

class PrivateSocket::Client final : public Outside {
  public:
    Client(PrivateSocket& owner, RawBus bus, uid_t user, std::uint64_t number)
        : uid{user}, owner_{owner}, told_{.name = fmt::format("{}{}", caller_prefix, number)},
          line_{owner.event_, std::move(bus), Line::Pace::as_it_reads, [this](auto* message) { received(message); },
                [this] { owner_.drop(*this); }} {
        owner_.exchange_.join(*this);
    }
    ~Client() override { owner_.exchange_.leave(*this); }

    sd_bus* bus() override { return line_.bus(); }
    bool wants_signals() const override { return !gone && told_.wants_signals(); }
    void given() override {
        if (unsent(line_.bus()) > most_unsent) owner_.drop(*this);
    }
    const std::string& name() const { return told_.name; }
    /// True when something waits, and no less than when this was asked last.
    bool stalled() {
        const auto now = unsent(line_.bus());
        const bool same = now > 0 && now >= unsent_before_;
        unsent_before_ = now > 0 ? now : UINT64_MAX;
        return same;
    }

    const uid_t uid;
    bool gone{false}; ///< ends as soon as nothing of it is on the stack

  private:
    void received(sd_bus_message* message) {
        std::uint8_t type = 0;
        sd_bus_message_get_type(message, &type);
        if (type != SD_BUS_MESSAGE_METHOD_CALL || gone) return;
        const char* destination = sd_bus_message_get_destination(message);
        if (destination != nullptr && std::string_view{destination} == driver_name) {
            answer_as_bus(message, told_);
        } else if (is_for_us(destination)) {
            owner_.exchange_.call(*this, message, told_.name.c_str());
        } else {
            sd_bus_reply_method_errorf(message, SD_BUS_ERROR_SERVICE_UNKNOWN, "there is only %s here, and no %s",
                                       bus_name, destination);
        }
    }

    PrivateSocket& owner_;
    Acquaintance told_;
    std::uint64_t unsent_before_{UINT64_MAX};
    Line line_;
};

PrivateSocket::PrivateSocket(sd_event* event, Exchange& exchange, std::filesystem::path path,
                             const std::function<void(std::string)>& missing)
    : event_{event}, exchange_{exchange}, path_{std::move(path)}, drop_timer_{event, [this] { drop_gone(); }},
      stall_timer_{event, [this] { drop_stalled(); }}, accept_timer_{event, [this] { watch_->set_events(EPOLLIN); }} {
    if (path_.empty()) return;
    std::string problem;
    listener_ = listen_at(path_, problem);
    if (listener_)
        watch_ = std::make_unique<Watch>(event, listener_.get(), EPOLLIN, [this] { accept(); });
    else
        missing(problem);
}

PrivateSocket::~PrivateSocket() {
    if (listener_) ::unlink(path_.c_str());
}

void PrivateSocket::accept() {
    Fd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!fd && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
        watch_->set_events(0); // it would be ready at once again
        return accept_timer_.after(rest);
    }
    if (!fd || clients_.size() >= most_clients) return; // closed: the client is told at once
    const auto user = user_behind(fd.get());
    auto bus = user ? serve(std::move(fd)) : RawBus{};
    if (!bus || sd_bus_set_sender(bus.get(), private_owner) < 0 || sd_bus_start(bus.get()) < 0) return;
    clients_.push_back(std::make_unique<Client>(*this, std::move(bus), *user, ++last_number_));
    if (clients_.size() == 1) stall_timer_.after(longest_stall);
}

/// From anywhere, so what is dropped ends a little later.
void PrivateSocket::drop(Client& client) {
    if (std::exchange(client.gone, true)) return;
    drop_timer_.after(0s);
}

void PrivateSocket::drop_gone() {
    std::erase_if(clients_, [](const auto& client) { return client->gone; });
}

void PrivateSocket::drop_stalled() {
    std::erase_if(clients_, [](const auto& client) { return client->gone || client->stalled(); });
    if (!clients_.empty()) stall_timer_.after(longest_stall);
}

bool PrivateSocket::is_caller(const std::string& caller) {
    return caller.starts_with(caller_prefix);
}

std::optional<uid_t> PrivateSocket::user_of(const std::string& caller) const {
    const auto found = std::ranges::find(clients_, caller, [](const auto& client) { return client->name(); });
    return found == clients_.end() ? std::nullopt : std::optional{(*found)->uid};
}

} // namespace holdfast::bus
