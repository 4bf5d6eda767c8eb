// The scripts: those that run every interval, and those that run once. Invariant: of one id at most one process runs; a
// script that has been given up gets SIGTERM, then SIGKILL, to its whole process group, and is never mistaken for a good
// one.
#pragma once

#include "ipc/epoll.hpp"
#include "ipc/message.hpp"
#include "ipc/pace.hpp"
#include "runner/launch.hpp"

#include <functional>
#include <map>
#include <memory>

namespace holdfast::runner {

inline constexpr Duration kill_after = 2s; ///< from SIGTERM to SIGKILL
inline constexpr std::size_t max_scripts = 4096;

class Scripts {
  public:
    using Tell = std::function<void(ipc::Report)>;
    Scripts(ipc::Epoll& epoll, Tell tell) : epoll_{epoll}, tell_{std::move(tell)} {}
    ~Scripts();

    void start(const ipc::StartScript& what, Time now);
    void run(const ipc::RunScript& what, Time now);
    /// A process that runs still is ended.
    void stop(ipc::WatchId id, Time now);

    /// False: `fd` is not ours.
    bool on_ready(int fd, Time now);
    Time next_deadline() const;
    void on_deadline(Time now);

  private:
    struct Run {
        Launched process;
        Time started{};
        Time term_at{}, kill_at{never};
        bool timed_out{false};
        std::string tail; ///< of what it printed, at most `max_tail`
    };
    struct Job {
        ipc::WatchId id;
        model::Words argv, environment;
        std::string user;
        Duration timeout{};
        std::optional<ipc::Pace> pace; ///< nothing: once
        std::optional<Run> run;
        std::uint64_t skipped{0};
        bool stopped{false}; ///< only its process is left
    };
    struct Ending {
        bool ok{false};
        std::string detail;
        Duration took{0};
        std::int32_t status{-1}; ///< of a program that ended by itself
    };

    void add(Job job, Time now);
    void begin(std::uint64_t number, Job& job, Time now);
    void read_output(Job& job);
    void ended(std::uint64_t number, Time now);
    Ending ending_of(Job& job, Time now);
    void report(std::uint64_t number, const Ending& ending, Time now);

    ipc::Epoll& epoll_;
    Tell tell_;
    // A stopped job's process may outlast it, and its id may be used again: jobs have numbers of their own.
    std::map<std::uint64_t, Job> jobs_;
    std::map<ipc::WatchId, std::uint64_t> numbers_; ///< of the jobs that are not stopped
    std::map<int, std::uint64_t> descriptors_;      ///< pidfd or output, of which job
    std::uint64_t next_{1};
};

} // namespace holdfast::runner
