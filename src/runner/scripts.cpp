#include "runner/scripts.hpp"

#include "ipc/service.hpp"
#include "ipc/spawn.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::runner {

namespace {

constexpr std::size_t max_tail = 1024;
constexpr const char* search_path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The last line with something on it.
std::string last_line(std::string_view text) {
    const auto end = text.find_last_not_of(" \t\r\n");
    if (end == std::string_view::npos) return {};
    text = text.substr(0, end + 1);
    return ipc::printable(text.substr(text.find_last_of('\n') + 1)); // npos + 1 is 0
}

/// The leader is not collected before this, so its number still names this group and no other.
void signal_group(const Launched& process, int number) {
    ::kill(-process.pid, number);
}

} // namespace

Scripts::~Scripts() {
    for (auto& [number, job] : jobs_)
        if (job.run) signal_group(job.run->process, SIGTERM);
}

void Scripts::start(const ipc::StartScript& what, Time now) {
    add({.id = what.id,
         .argv = what.argv,
         .environment = {search_path},
         .user = what.user,
         .timeout = what.timeout,
         .pace = ipc::Pace{now, what.interval, next_},
         .run = {}},
        now);
}

void Scripts::run(const ipc::RunScript& what, Time now) {
    Job job{.id = what.id,
            .argv = what.argv,
            .environment = what.environment,
            .user = what.user,
            .timeout = what.timeout,
            .pace = {},
            .run = {}};
    job.environment.insert(job.environment.begin(), search_path);
    add(std::move(job), now);
}

void Scripts::add(Job job, Time now) {
    stop(job.id, now);
    if (jobs_.size() >= max_scripts)
        return tell_(ipc::Ended{job.id, false, fmt::format("{} scripts run already", max_scripts), {}});
    const auto number = next_++;
    numbers_[job.id] = number;
    begin(number, jobs_.emplace(number, std::move(job)).first->second, now);
}

void Scripts::stop(ipc::WatchId id, Time now) {
    const auto at = numbers_.find(id);
    if (at == numbers_.end()) return;
    const auto job = jobs_.find(at->second);
    numbers_.erase(at);
    if (!job->second.run) {
        jobs_.erase(job);
        return;
    }
    job->second.stopped = true;
    job->second.run->term_at = std::min(job->second.run->term_at, now); // its turn comes with the deadlines
}

void Scripts::begin(std::uint64_t number, Job& job, Time now) {
    if (job.pace) job.pace->started();
    auto launched = launch(job.argv, job.user, job.environment);
    if (!launched)
        return report(
            number,
            {false, ipc::printable(fmt::format("cannot run {}: {}", job.argv.front(), launched.error())), {}, -1}, now);
    job.run = Run{.process = std::move(*launched), .started = now, .term_at = now + job.timeout, .tail = {}};
    for (const int fd : {job.run->process.pidfd.get(), job.run->process.output.get()}) {
        epoll_.set(fd, EPOLLIN);
        descriptors_[fd] = number;
    }
}

bool Scripts::on_ready(int fd, Time now) {
    const auto at = descriptors_.find(fd);
    if (at == descriptors_.end()) return false;
    const auto number = at->second;
    auto& job = jobs_.at(number);
    if (fd == job.run->process.output.get())
        read_output(job);
    else
        ended(number, now);
    return true;
}

/// Bounded a call: a script that prints without end must not keep the others waiting.
void Scripts::read_output(Job& job) {
    auto& run = *job.run;
    std::array<char, 4096> buffer{};
    for (int i = 0; i < 16; ++i) {
        const ssize_t size = ::read(run.process.output.get(), buffer.data(), buffer.size());
        if (size > 0) {
            run.tail.append(buffer.data(), static_cast<std::size_t>(size));
            if (run.tail.size() > max_tail) run.tail.erase(0, run.tail.size() - max_tail);
            continue;
        }
        if (size < 0 && errno == EAGAIN) return;
        epoll_.remove(run.process.output.get()); // the end of it
        descriptors_.erase(run.process.output.get());
        return;
    }
}

/// Looks at how it ended and collects it; what of its group outlived a script that was given up is killed before.
Scripts::Ending Scripts::ending_of(Job& job, Time now) {
    auto& run = *job.run;
    siginfo_t info{};
    const auto pidfd = static_cast<id_t>(run.process.pidfd.get());
    ::waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG | WNOWAIT);
    if (run.timed_out || job.stopped) signal_group(run.process, SIGKILL);
    ::waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG);
    const Duration took = now - run.started;
    if (const auto failure = failure_of(run.process.failure, job.argv, job.user))
        return {false, ipc::printable(*failure), took, -1};
    const auto how = ipc::describe_exit(info.si_status, info.si_code);
    if (run.timed_out)
        return {false, ipc::printable(fmt::format("no end within {}, then {}", to_string(job.timeout), how)), took, -1};
    const auto said = last_line(run.tail);
    const auto status = info.si_code == CLD_EXITED ? info.si_status : -1;
    const bool ok = status == 0;
    if (ok && !said.empty()) return {true, said, took, status};
    return {ok, ipc::printable(said.empty() ? how : fmt::format("{}: {}", how, said)), took, status};
}

void Scripts::ended(std::uint64_t number, Time now) {
    auto& job = jobs_.at(number);
    read_output(job); // what it said last
    const auto ending = ending_of(job, now);
    for (const int fd : {job.run->process.pidfd.get(), job.run->process.output.get()})
        if (descriptors_.erase(fd) > 0) epoll_.remove(fd);
    job.run.reset();
    if (job.stopped)
        jobs_.erase(number);
    else
        report(number, ending, now);
}

void Scripts::report(std::uint64_t number, const Ending& ending, Time now) {
    auto& job = jobs_.at(number);
    if (job.pace) {
        job.skipped += job.pace->ended(now);
        return tell_(ipc::Verdict{.id = job.id,
                                  .ok = ending.ok,
                                  .detail = ending.detail,
                                  .latency = ending.took,
                                  .skipped = job.skipped,
                                  .value = ending.status});
    }
    tell_(ipc::Ended{job.id, ending.ok, ending.detail, ending.took});
    numbers_.erase(job.id);
    jobs_.erase(number);
}

Time Scripts::next_deadline() const {
    Time next = never;
    for (const auto& [number, job] : jobs_) {
        if (job.run)
            next = std::min({next, job.run->term_at, job.run->kill_at});
        else if (job.pace)
            next = std::min(next, job.pace->due());
    }
    return next;
}

void Scripts::on_deadline(Time now) {
    std::vector<std::uint64_t> due;
    for (auto& [number, job] : jobs_) {
        if (!job.run) {
            if (job.pace && job.pace->due() <= now) due.push_back(number);
            continue;
        }
        auto& run = *job.run;
        if (run.term_at <= now) {
            run.timed_out = !job.stopped;
            run.term_at = never;
            run.kill_at = now + kill_after;
            signal_group(run.process, SIGTERM);
        } else if (run.kill_at <= now) {
            run.kill_at = never;
            signal_group(run.process, SIGKILL);
        }
    }
    for (const auto number : due)
        begin(number, jobs_.at(number), now);
}

} // namespace holdfast::runner
