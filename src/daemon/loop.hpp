// The loop thread: owns the engine, the packet sockets and the netlink monitor. One turn takes what the world said, gives it
// to the engine with one reading of the clock, and carries out what comes back. It decides nothing, and no call in it can
// block: what may wait is asked of the executor, the loader or the bus thread. Receive queues are always drained before
// timers are looked at, which is what the engine's rule for late waking stands on.
#pragma once

#include "base/mailbox.hpp"
#include "bus/messages.hpp"
#include "daemon/checks.hpp"
#include "daemon/clear_up.hpp"
#include "daemon/events.hpp"
#include "daemon/kept.hpp"
#include "daemon/maintenance.hpp"
#include "daemon/notifier.hpp"
#include "daemon/options.hpp"
#include "daemon/record_file.hpp"
#include "daemon/reloads.hpp"
#include "daemon/trackers.hpp"
#include "daemon/upstreams.hpp"
#include "daemon/wires.hpp"
#include "engine/engine.hpp"
#include "kernel/executor.hpp"
#include "kernel/ipvs.hpp"
#include "kernel/nft.hpp"
#include "kernel/observer.hpp"

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace holdfast::daemon {

class Loop {
  public:
    struct Parts {
        Options options;
        LoadedConfig config;
        std::optional<RecordFile> record;
        KeptDescriptors kept;             ///< of the process before us
        std::vector<std::string> missing; ///< what this process lacks, for the status
        std::function<void(bus::ToBus)> tell_bus;
        std::shared_ptr<Mailbox<bus::ToLoop>> from_bus; ///< older than the loop: the bus thread may speak first
        Duration heartbeat{0};                          ///< how often the bus thread wants a sign of life; 0: never
    };

    explicit Loop(Parts parts);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Until everything has left after SIGTERM or SIGINT. The status for exit(3).
    int run();

  private:
    // the turn
    void deliver(const engine::Event& event);
    void deliver(const engine::Event& event, Time when);
    void deliver(std::span<const engine::Event> events, Time when);
    void perform();
    void perform(engine::Action& action);
    void end_turn();
    void serve_overdue();
    void arm_timer();
    void on_timer();
    void publish();
    void write_record();

    // the doors
    void on_kernel_news();
    void on_outcomes();
    void on_bus();
    void set_missing(const std::string& what, const std::string& text);
    bus::NodeFacts& change_facts();
    void on_loaded();
    void on_reloaded(LoadedConfig&);
    void on_changed(LoadedConfig&);
    void put_in_force(const LoadedConfig&);
    void on_signal(int number);
    void end(bool restart);
    void stop();
    void end_if_told();
    void forget_unused();
    void keep_record();
    void begin_reload(std::optional<std::uint64_t> command);
    void list_kernel();
    kernel::Ipvs& ipvs();
    Upstreams& upstreams();
    void tell_wall_clock();

    Parts parts_;
    Events events_;

    engine::Engine engine_;
    engine::Actions actions_;
    Time now_{}; ///< of this turn: read once, when something woke the loop
    bool performing_{false};
    std::unique_ptr<Wires> wires_;
    std::optional<Duration> wall_ahead_; ///< as the engine was told
    std::unique_ptr<kernel::Observer> observer_;
    std::vector<engine::Event> held_news_; ///< kernel news that came while a listing is under way
    bool listing_{false};
    std::unique_ptr<Trackers> trackers_;
    std::unique_ptr<Checks> checks_;
    std::unique_ptr<Mailer> mailer_;
    std::unique_ptr<Notifier> notifier_;

    Mailbox<kernel::Outcome> from_executor_;
    Mailbox<LoadedConfig> from_loader_;
    std::unique_ptr<kernel::Nft> nft_;   ///< once there is a filter to set
    std::unique_ptr<kernel::Ipvs> ipvs_; ///< once there is a virtual server
    std::unique_ptr<Maintenance> maintenance_;
    std::unique_ptr<Upstreams> upstreams_;       ///< from the first file on
    std::unique_ptr<kernel::Executor> executor_; // behind the mailboxes: their threads end before these do
    std::unique_ptr<Reloads> reloads_;

    std::shared_ptr<bus::NodeFacts>
        facts_; ///< changed by change_facts() alone: the bus thread reads what was published
    bool facts_changed_{true}, ready_told_{false};
    std::vector<bus::ToBus> notes_;   ///< they leave behind what is asked of the kernel, which has no time to lose
    std::vector<bus::ToBus> answers_; ///< they leave behind the snapshot that shows their effect
    Time next_counters_{}, next_heartbeat_{never};
    Time job_until_{never};     ///< SIGTERM came, and whether that is a restart is asked
    Time restart_until_{never}; ///< a restart begins when everybody has heard the news, or now
    StopMark stop_mark_{parts_.options.runtime_directory};
    bool finished_{false};
    bool end_told_{false}; ///< the turn that finished is over: its notes, its edges and the record are out
    Time lines_until_{never}, scripts_until_{never}; ///< how long a finished loop waits for notifications
    bool notified() const;
    Time last_deadline() const;
};

} // namespace holdfast::daemon
