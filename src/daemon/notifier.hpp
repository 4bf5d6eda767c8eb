// Tells the world of transitions: scripts, mail, FIFO lines and units, from the numbered list of the Snapshot, so that none is
// lost or merged on the way here (DESIGN, rule 2). Of one object one script runs at a time, in order; while it runs the
// newest state waits, and an older one that waited is left out and said to be. Decides nothing about routers.
#pragma once

#include "bus/messages.hpp"
#include "daemon/mailer.hpp"
#include "engine/event.hpp"
#include "engine/snapshot.hpp"
#include "ipc/message.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace holdfast::daemon {

inline constexpr std::size_t lines_kept = 256; ///< of one FIFO that nobody reads

class Notifier {
  public:
    using Done = std::function<void(const ipc::Ended&)>;
    struct Door {
        /// Asks the runner for something that is done once; `make` gets the id. Nothing: it can't be asked.
        std::function<ipc::WatchId(std::function<ipc::Request(ipc::WatchId)> make, Done done)> once;
        std::function<void(ipc::WatchId)> forget;
        std::function<void(engine::Event)> deliver;
        std::function<void(bus::ToBus)> tell_bus;
        std::function<void(std::string)> warn;
    };
    Notifier(Door door, Mailer& mailer) : door_{std::move(door)}, mailer_{mailer} {}

    void take(const engine::Snapshot& snapshot);
    void run(const engine::RunHook& hook);

    /// No script runs or waits.
    bool idle() const { return objects_.empty() && hooks_ == 0; }
    bool lines_wait() const { return !lines_.empty(); }

  private:
    using Edge = std::shared_ptr<const engine::Transition>;
    struct Step {
        std::string what;
        model::Words argv;
    };
    /// What runs, and what waits behind it.
    struct Object {
        Edge edge;
        std::deque<Step> steps;
        Edge waiting_state, waiting_other;
    };

    void notify(const Edge& edge);
    void queue(const Edge& edge);
    void begin(const std::string& name, Edge edge);
    void next_step(const std::string& name);
    void write_line(const Edge& edge);
    void move_units(const engine::Transition& edge);

    Door door_;
    Mailer& mailer_;
    std::string node_;
    std::uint64_t last_{0};
    std::map<std::string, Object> objects_; ///< those with something to run
    std::map<std::string, std::deque<ipc::WatchId>> lines_;
    std::size_t hooks_{0};
};

} // namespace holdfast::daemon
