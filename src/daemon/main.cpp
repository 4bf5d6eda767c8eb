// holdfastd: puts the parts together in the order that a quick and safe start needs, and ends the process.

#include "bus/thread.hpp"
#include "daemon/clear_up.hpp"
#include "daemon/kept.hpp"
#include "daemon/loop.hpp"
#include "daemon/process.hpp"

#include <csignal>
#include <cstdio>
#include <optional>
#include <sys/stat.h>
#include <sysexits.h>

namespace {

using namespace holdfast;

/// Before the bus thread runs, stderr is the journal (sd-daemon(3)).
int fail(int status, const std::string& text) {
    std::fprintf(stderr, "<3>holdfastd: %s\n", text.c_str());
    return status;
}

void block_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP})
        sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

int print_problems(const daemon::LoadedConfig& loaded) {
    for (const auto& problem : loaded.problems)
        std::fputs(problem.c_str(), stderr);
    return loaded.config ? EX_OK : EX_CONFIG;
}

} // namespace

int main(int argc, char** argv) {
    auto options = daemon::parse_options(argc, argv);
    auto kept = daemon::KeptDescriptors::take_over();
    daemon::prefer_own_notify_socket();
    ::umask(0077);
    if (options.clear_up) return daemon::clear_up(options);
    block_signals();
    auto config = daemon::load_config(options);
    if (const int status = print_problems(config); status != EX_OK || options.check_only) return status;
    if (const auto missing = daemon::missing_capability()) return fail(EX_NOPERM, *missing);
    auto lock = daemon::lock_runtime_directory(options.runtime_directory);
    if (!lock) return fail(EX_UNAVAILABLE, lock.error());

    const auto to_loop = std::make_shared<Mailbox<bus::ToLoop>>();
    bus::Thread bus{[to_loop](bus::ToLoop message) { to_loop->push(std::move(message)); },
                    options.runtime_directory / "private"};
    daemon::Loop::Parts parts{.options = options,
                              .config = std::move(config),
                              .record = std::nullopt,
                              .kept = {},
                              .missing = {},
                              .tell_bus = [&bus](bus::ToBus message) { bus.post(std::move(message)); },
                              .from_bus = to_loop,
                              .heartbeat = bus::Thread::heartbeat_interval()};
    if (auto record = daemon::RecordFile::open(options.runtime_directory / "state", kept.take(daemon::kept_record)))
        parts.record.emplace(std::move(*record));
    else
        parts.missing.push_back("record: " + record.error());
    if (const auto locked = daemon::lock_memory(); !locked) parts.missing.push_back("locked memory: " + locked.error());

    parts.kept = std::move(kept);
    daemon::Loop instance{std::move(parts)};
    // Last, so that the threads above stay ordinary: only the loop competes for time.
    if (const auto real_time = daemon::become_real_time(); !real_time)
        to_loop->push(bus::Missing{"real time", real_time.error()});
    return instance.run();
}
