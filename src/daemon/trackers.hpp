// Carries out StartTracker and StopTracker: HTTP and TCP probes go to the prober; scripts, files and processes to the runner
// (reading a file can block, so it is not done here; pidfds are watched here, on the loop); units to the bus thread; BFD
// sessions to daemon/bfd.
// Decides nothing: every observation becomes an event.
#pragma once

#include "bus/messages.hpp"
#include "daemon/bfd.hpp"
#include "engine/event.hpp"
#include "ipc/helper.hpp"
#include "ipc/process_set.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>

namespace holdfast::daemon {

class Trackers {
  public:
    struct Door {
        std::function<void(engine::Event)> deliver;
        std::function<void(bus::ToBus)> tell_bus;
        /// Watch `fd` (level-triggered) and call back; `unwatch` before it is closed.
        std::function<void(int fd, std::function<void()>)> watch;
        std::function<void(int fd)> unwatch;
        std::function<void(std::string)> warn; ///< one line for the journal
        /// For the status: what a helper lacks, until it is told empty.
        std::function<void(const std::string& what, const std::string& text)> missing;
        std::function<Time()> now;
    };

    /// One way for the whole life of the daemon, because its sandbox goes with it: what must see all processes is not started
    /// where others are hidden.
    struct Helpers {
        std::filesystem::path programs; ///< the directory of those that are started as children
        std::filesystem::path sockets;  ///< the directory where systemd listens for them; empty: children
        bool probe_rights{false};       ///< a prober that is a child keeps what marks and low ports take
    };

    Trackers(Helpers helpers, Door door);
    ~Trackers();

    /// At `when`, asks systemd for both helpers, whether anything needs them yet or not: while a host shuts down it starts
    /// nothing more, and the first script may be that of the stop. Children are started when they are needed.
    void prepare(Time when) { prepare_at_ = when; }

    void start(const model::Tracker& tracker);
    void stop(const std::string& name);

    enum class By : std::uint8_t { runner, prober };
    /// Asks for what is done once; `done` is called with its end.
    ipc::WatchId once(By helper, const std::function<ipc::Request(ipc::WatchId)>& make,
                      std::function<void(const ipc::Ended&)> done);
    /// Asks for what goes on until forget(); `told` is called with each verdict. The error is a reason in words.
    Result<ipc::WatchId> repeat(By helper, const std::function<ipc::Request(ipc::WatchId)>& make,
                                std::function<void(const ipc::Verdict&)> told);
    /// The same subscription from its beginning.
    void begin_again(ipc::WatchId id, const std::function<ipc::Request(ipc::WatchId)>& make);
    void forget(ipc::WatchId id);

    Time next_deadline() const;
    void on_deadline();

  private:
    struct Watch {
        std::string tracker;
        bool by_prober{false};                        ///< else by the runner
        std::unique_ptr<ipc::ProcessSet> processes{}; ///< of a process tracker
        std::int32_t missing_file{0};                 ///< what a missing file counts as
    };

    ipc::Helper& helper(By who) { return who == By::prober ? prober() : runner(); }
    ipc::Helper& prober();
    ipc::Helper& runner();
    void prepare_now();
    std::unique_ptr<ipc::Helper> begin(const std::string& role);
    void subscribe(ipc::Helper& helper, Watch watch, const ipc::Request& request);
    void watch_processes(ipc::WatchId id, const model::Tracker& tracker, const model::ProcessTracker& process);
    void handle(const std::string& role, std::vector<ipc::HelperEvent> events);
    void on_report(ipc::Verdict&);
    void on_report(const ipc::ProcessesFound&, std::vector<Fd>);
    void on_report(const ipc::FileFound&);
    void on_report(ipc::Ended&);
    void report(const Watch& watch);

    Helpers where_;
    Door door_;
    Bfd bfd_;
    std::unique_ptr<ipc::Helper> prober_, runner_;
    Time prepare_at_{never};
    std::map<ipc::WatchId, Watch> watches_;
    struct Once {
        By helper;
        std::function<void(const ipc::Ended&)> done;
    };
    std::map<ipc::WatchId, Once> once_;
    struct Repeated {
        By helper;
        std::function<void(const ipc::Verdict&)> told;
    };
    std::map<ipc::WatchId, Repeated> repeated_;
    std::map<std::string, ipc::WatchId> ids_; ///< of the trackers that a helper serves
    std::vector<ipc::Ended> refused_;         ///< to be told at the next turn
    std::uint64_t next_id_{1};
};

} // namespace holdfast::daemon
