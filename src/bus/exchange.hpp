// Where those who call from outside meet the objects. The objects are exported once, on a connection inside this process
// that never ends; the system bus and each client of the private socket are other lines to the same exchange. It copies
// calls in under their caller's name, answers back, and signals to all who want them. What may come in is decided by the
// guard alone (bus/gate), later if it likes; without one nothing comes in.
#pragma once

#include "bus/raw.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace sdbus {
class IConnection;
}

namespace holdfast::bus {

/// The system bus, or one client of the private socket.
class Outside {
  public:
    virtual ~Outside() = default;
    virtual sd_bus* bus() = 0;
    virtual bool wants_signals() const = 0;
    /// Something was put into its queue.
    virtual void given() = 0;
};

/// Why a call does not come in: a D-Bus error.
struct Refusal {
    std::string error, text;
};

/// What the guard says of a call.
struct Decision {
    std::optional<Refusal> refusal;
    bool in_turn{false}; ///< not before the caller's last call of this kind is answered
};

class Exchange {
  public:
    /// Calls of one caller that wait for their turn: more than a bus lets wait for answers.
    static constexpr std::size_t most_in_turn = 1024;
    using Then = std::function<void(const Decision&)>;
    using Guard = std::function<void(sd_bus_message* call, const std::string& caller, Then)>;

    explicit Exchange(sd_event* event);
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    void set_guard(Guard guard) { guard_ = std::move(guard); }
    /// Where the objects are exported.
    sdbus::IConnection& objects() { return *objects_; }

    void join(Outside& outside) { outside_.insert(&outside); }
    /// Its calls that are not let in yet are forgotten, answers to the others go nowhere from now on.
    void leave(Outside& outside);
    /// A call of `caller`, which the objects see as the sender.
    void call(Outside& outside, sd_bus_message* call, const char* caller);
    /// Nothing is under way in here.
    bool idle() const;

  private:
    struct Waiting {
        Outside* caller;
        Message call;
        std::string name;
        bool in_turn{false};
    };
    /// What one caller wants to read, one after the other, so that nobody waits behind all of it.
    struct Turn {
        Outside* caller;
        std::deque<Waiting> next;
    };

    void connect_objects(sd_event* event);
    void decided(std::uint64_t number, const Decision& decision);
    void queue(Waiting call);
    void next_of(const std::string& caller);
    bool let_in(Waiting call);
    void from_objects(sd_bus_message* message);
    void answered(sd_bus_message* answer);
    void signalled(sd_bus_message* signal);
    void process_objects();
    void prepare_objects();

    std::set<Outside*> outside_;
    Guard guard_;
    std::map<std::uint64_t, Waiting> arrived_; ///< not decided yet
    std::map<std::string, Turn> turns_;        ///< of callers one of whose calls is with the objects
    std::uint64_t last_arrived_{0};
    std::map<std::uint64_t, Waiting> waiting_; ///< for the objects, by the number of the copy
    std::unique_ptr<Line> line_;
    std::unique_ptr<sdbus::IConnection> objects_;
    Timer objects_timer_;
    std::unique_ptr<Watch> objects_watch_;
};

} // namespace holdfast::bus
