// Carries out BFD trackers: owns their sessions and sockets, hands packets and deadlines to bfd/, sends what comes back and
// tells verdicts as observations. Decides nothing.
#pragma once

#include "bfd/arrival.hpp"
#include "engine/event.hpp"
#include "kernel/bfd_socket.hpp"

#include <functional>
#include <map>
#include <random>
#include <string>

namespace holdfast::daemon {

class Bfd {
  public:
    struct Door {
        std::function<void(engine::Event)> deliver;
        std::function<void(int fd, std::function<void()>)> watch;
        std::function<void(int fd)> unwatch;
        std::function<Time()> now;
    };

    explicit Bfd(Door door);
    /// Neighbors are told.
    ~Bfd();
    Bfd(const Bfd&) = delete;
    Bfd& operator=(const Bfd&) = delete;

    void start(const std::string& tracker, const model::BfdTracker& settings);
    bool has(const std::string& tracker) const { return sessions_.contains(tracker); }
    void stop(const std::string& tracker);

    Time next_deadline() const;
    void on_deadline();

  private:
    using Port = std::pair<Family, bool>; ///< multihop
    struct Running {
        model::BfdTracker settings;
        bfd::Session session;
        std::optional<kernel::BfdSender> sender; ///< nothing: it could not be opened
        bfd::Verdict told{bfd::Verdict::pending};
        Duration told_detection{0}; ///< agreed on after the session came up, so it is told again
        std::map<wire::BfdReject, unsigned> dropped;
    };

    std::optional<std::string> open(Running& running);
    void play(const std::string& tracker, Running& running, const bfd::Event& event);
    void report(const std::string& tracker, Running& running);
    void read(Port port);
    void on_datagram(Port port, const kernel::BfdDatagram& datagram);
    std::uint16_t chance() { return static_cast<std::uint16_t>(random_() >> 8); }
    std::uint32_t free_discriminator();

    Door door_;
    std::map<std::string, Running> sessions_;
    std::map<Port, kernel::BfdReceiver> receivers_;
    std::minstd_rand random_; ///< spreads packets and discriminators; nothing secret
};

} // namespace holdfast::daemon
