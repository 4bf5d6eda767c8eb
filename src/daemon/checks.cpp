#include "daemon/checks.hpp"

#include <algorithm>
#include <limits>

namespace holdfast::daemon {
namespace {

Trackers::By who(const model::Check& check) {
    return model::is_network_probe(check.kind) ? Trackers::By::prober : Trackers::By::runner;
}

} // namespace

ipc::Request Checks::request(const engine::StartCheck& start, ipc::WatchId id) {
    const auto& check = start.check;
    if (const auto* const script = std::get_if<model::ScriptCheck>(&check.kind))
        return ipc::StartScript{id, script->script, script->user, check.interval, check.timeout};
    auto socket = check.socket;
    socket.address.reset();
    socket.port = 0;
    const auto tell = std::min<unsigned>(check::decisive(check), std::numeric_limits<std::uint16_t>::max());
    return ipc::StartCheck{.id = id,
                           .what = check.kind,
                           .address = start.address,
                           .port = std::holds_alternative<model::PingCheck>(check.kind) ? std::uint16_t{0} : start.port,
                           .socket = std::move(socket),
                           .interval = check.interval,
                           .timeout = check.timeout,
                           .retry = check.retry,
                           .retry_delay = check.retry_delay,
                           .warmup = check.warmup,
                           .tell = static_cast<std::uint16_t>(tell)};
}

void Checks::start(engine::StartCheck start) {
    const auto told = [this, id = start.id](const ipc::Verdict& verdict) {
        deliver_(engine::CheckObserved{id,
                                       {.good = verdict.ok,
                                        .unknown = verdict.unknown,
                                        .status = verdict.value,
                                        .detail = verdict.detail,
                                        .latency = verdict.latency}});
    };
    const auto watch = helpers_.repeat(who(start.check), [&](ipc::WatchId id) { return request(start, id); }, told);
    if (!watch) return deliver_(engine::CheckObserved{start.id, {.unknown = true, .detail = watch.error()}});
    const auto id = start.id;
    running_.emplace(id, Running{*watch, std::move(start)});
}

void Checks::stop(engine::CheckId id) {
    const auto at = running_.find(id);
    if (at == running_.end()) return;
    helpers_.forget(at->second.watch);
    running_.erase(at);
}

void Checks::probe_now(engine::CheckId id) {
    const auto at = running_.find(id);
    if (at == running_.end()) return;
    helpers_.begin_again(at->second.watch, [&](ipc::WatchId watch) {
        auto start = at->second.check;
        start.check.warmup = Duration::zero();
        return request(start, watch);
    });
}

} // namespace holdfast::daemon
