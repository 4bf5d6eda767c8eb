// The packet sockets in the loop: opened, watched, read, closed. While adverts come in crowds a socket rests and is looked at by
// the clock, because waking up for each costs more than the advert; no deadline waits for that, since resting sockets are
// looked at before every deadline and what a router counts from is the kernel's time of arrival.
#pragma once

#include "base/time.hpp"
#include "kernel/executor.hpp"
#include "kernel/packet.hpp"

#include <functional>
#include <map>
#include <vector>

namespace holdfast::daemon {

class Wires {
  public:
    struct Door {
        std::function<void(const engine::Event&, Time arrived)> deliver;
        std::function<void(const engine::Event&)> expect; ///< it is delivered soon
        std::function<void()> before_adverts;             ///< once in front of a batch
        std::function<void(int fd, std::function<void()>)> watch;
        std::function<void(int fd)> unwatch;
        std::function<void(int fd, bool on)> enable;         ///< of a watched one
        std::function<void(std::string name, Fd copy)> keep; ///< for the next process
        std::function<void(std::string name)> forget;
        std::function<Time()> now;
    };
    explicit Wires(Door door) : door_{std::move(door)} {}

    /// How the sockets of a link and family are called in the service manager's keeping.
    struct Names {
        std::string adverts, ah;
    };
    static Names names_of(LinkIndex link, Family family);

    void opened(kernel::SocketsOpened);
    /// What was open, for closing elsewhere: that can block.
    std::unique_ptr<kernel::LinkSockets> closed(const engine::Unlisten&);
    /// Sockets that can't do what is asked, for closing elsewhere: the engine is told, and asks for others.
    std::unique_ptr<kernel::LinkSockets> listen_for(const engine::ListenFor&);
    void queue(engine::SendAdvert&& advert) { packets_.queue(std::move(advert)); }
    void announce(const engine::Announce& announce) { packets_.announce(announce); }
    void flush() { packets_.flush(); }

    /// Everything that waits in those that are watched, before deadlines are looked at; look_at_resting() has the others.
    void read_watched();
    /// When resting sockets want to be looked at.
    Time next_look() const { return next_look_; }
    void look_at_resting();

  private:
    struct Wire {
        kernel::LinkSockets* sockets{nullptr};
        Time window{};                   ///< start of the current counting window
        std::size_t heard{0}, before{0}; ///< adverts in this window and in the one before
        bool resting{false};             ///< not watched, but looked at every `rest` and before every deadline
    };

    bool read(Wire& wire);
    void on_adverts(int fd);
    void deliver_heard();

    Door door_;
    kernel::PacketIo packets_;
    std::map<int, Wire> wires_; ///< by advert descriptor
    Time next_look_{never};
    std::vector<std::pair<engine::Event, Time>> heard_; ///< read and not delivered yet, with the time of arrival
};

} // namespace holdfast::daemon
