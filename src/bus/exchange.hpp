// Where those who call from outside meet the objects. The objects are exported once, on a connection inside this process
// that never ends; the system bus and each client of the private socket are other lines to the same exchange. It copies
// calls in under their caller's name, answers back, and signals to all who want them. Nothing is decided here.
#pragma once

#include "bus/raw.hpp"

#include <cstdint>
#include <map>
#include <memory>
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

class Exchange {
  public:
    explicit Exchange(sd_event* event);
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    /// Where the objects are exported.
    sdbus::IConnection& objects() { return *objects_; }

    void join(Outside& outside) { outside_.insert(&outside); }
    /// Answers to its calls go nowhere from now on.
    void leave(Outside& outside);
    /// A call of `caller`, which the objects see as the sender.
    void call(Outside& outside, sd_bus_message* call, const char* caller);
    /// Nothing is under way in here.
    bool idle() const;

  private:
    struct Waiting {
        Outside* caller;
        Message call;
    };

    void connect_objects(sd_event* event);
    void from_objects(sd_bus_message* message);
    void answered(sd_bus_message* answer);
    void signalled(sd_bus_message* signal);
    void process_objects();
    void prepare_objects();

    std::set<Outside*> outside_;
    std::map<std::uint64_t, Waiting> waiting_; ///< by the number of the copy
    std::unique_ptr<Line> line_;
    std::unique_ptr<sdbus::IConnection> objects_;
    Timer objects_timer_;
    std::unique_ptr<Watch> objects_watch_;
};

} // namespace holdfast::bus
