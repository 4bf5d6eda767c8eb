#include "daemon/clear_up.hpp"

#include "base/fd.hpp"
#include "base/mailbox.hpp"
#include "daemon/process.hpp"
#include "daemon/record_file.hpp"
#include "kernel/executor.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sysexits.h>

namespace holdfast::daemon {
namespace {

constexpr int patience_ms = 5000;

/// The executor's next answer; nothing when the kernel hangs.
std::optional<engine::Event> next(Mailbox<kernel::Outcome>& outcomes, std::vector<kernel::Outcome>& waiting) {
    while (waiting.empty()) {
        pollfd wait{outcomes.fd(), POLLIN, 0};
        if (::poll(&wait, 1, patience_ms) != 1) return std::nullopt;
        for (auto& outcome : outcomes.take())
            waiting.push_back(std::move(outcome));
    }
    auto event = std::get_if<engine::Event>(&waiting.front());
    auto result = event ? std::optional{std::move(*event)} : std::nullopt;
    waiting.erase(waiting.begin());
    return result;
}

bool belongs_to(const engine::KernelAddress& address, const engine::Record& record) {
    return address.ours && std::ranges::any_of(record.routers, [&](const engine::RecordedRouter& router) {
               return std::ranges::find(router.addresses, address.prefix) != router.addresses.end();
           });
}

} // namespace

void StopMark::set() const {
    const Fd fd{::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
}

void StopMark::remove() const {
    ::unlink(path_.c_str());
}

bool StopMark::is_set() const {
    return ::access(path_.c_str(), F_OK) == 0;
}

int clear_up(const Options& options) {
    const StopMark mark{options.runtime_directory};
    if (!mark.is_set()) return EX_OK;
    const auto lock = lock_runtime_directory(options.runtime_directory);
    if (!lock) {
        std::fputs(fmt::format("<5>holdfastd: nothing is cleared up: {}\n", lock.error()).c_str(), stderr);
        return EX_OK; // it is theirs
    }
    const auto file = RecordFile::open(options.runtime_directory / "state");
    const auto record = file ? file->read() : unexpected{file.error()};
    mark.remove();
    if (!record) {
        std::fputs(fmt::format("<4>holdfastd: a stop was cut short, and its record can't be used ({}): the addresses "
                               "leave with their lease\n",
                               record.error())
                       .c_str(),
                   stderr);
        return EX_OK;
    }
    Mailbox<kernel::Outcome> outcomes;
    std::vector<kernel::Outcome> waiting;
    const auto executor = kernel::Executor::start([&](kernel::Outcome outcome) { outcomes.push(std::move(outcome)); });
    if (!executor) {
        std::fprintf(stderr, "<3>holdfastd: no netlink socket: %s; the addresses leave with their lease\n",
                     std::strerror(executor.error()));
        return EX_OSERR;
    }
    (*executor)->list();
    const auto listed = next(outcomes, waiting);
    const auto* const there = listed ? std::get_if<engine::KernelListed>(&*listed) : nullptr;
    if (!there) {
        std::fputs("<3>holdfastd: the kernel did not say which addresses it has: ours leave with their lease\n",
                   stderr);
        return EX_OSERR;
    }
    int status = EX_OK;
    bool found = false;
    for (const auto& address : there->addresses) {
        if (!belongs_to(address, *record)) continue;
        found = true;
        (*executor)->run(
            {engine::OperationId{1}, never, engine::RemoveAddress{address.link, address.prefix, address.traits.peer}});
        const auto answer = next(outcomes, waiting);
        const auto* const done = answer ? std::get_if<engine::OperationDone>(&*answer) : nullptr;
        const bool is_gone = done && done->error == 0;
        std::fputs(fmt::format("<{}>holdfastd: {} was left by a stop that was cut short: {}\n", is_gone ? 5 : 3,
                               to_string(address.prefix),
                               is_gone ? "removed" : "it can't be removed, and leaves with its lease")
                       .c_str(),
                   stderr);
        if (!is_gone) status = EX_OSERR;
    }
    if (!found) std::fputs("<5>holdfastd: a stop was cut short, and had left no address\n", stderr);
    return status;
}

} // namespace holdfast::daemon
