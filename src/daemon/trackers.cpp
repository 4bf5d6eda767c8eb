#include "daemon/trackers.hpp"

#include "base/result.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::daemon {

Trackers::Trackers(std::filesystem::path helper_directory, Door door)
    : directory_{std::move(helper_directory)}, door_{std::move(door)},
      bfd_{{.deliver = door_.deliver, .watch = door_.watch, .unwatch = door_.unwatch, .now = door_.now}} {}

Trackers::~Trackers() = default;

// ---- the helpers, started when the first tracker needs them -------------------------------------------------------------

std::unique_ptr<ipc::Helper> Trackers::spawn(const std::string& program) {
    auto helper = std::make_unique<ipc::Helper>(
        ipc::Helper::Options{.name = program, .command = {(directory_ / program).string()}});
    auto* raw = helper.get();
    door_.watch(raw->fd(), [this, raw] { handle(raw->on_readable(door_.now())); });
    handle(helper->start(door_.now()));
    return helper;
}

ipc::Helper& Trackers::prober() {
    if (!prober_) prober_ = spawn("holdfast-prober");
    return *prober_;
}

ipc::Helper& Trackers::runner() {
    if (!runner_) runner_ = spawn("holdfast-runner");
    return *runner_;
}

// ---- trackers -----------------------------------------------------------------------------------------------------------

void Trackers::start(const model::Tracker& tracker) {
    const ipc::WatchId id{next_id_++};
    std::visit(Overloaded{
                   [](const model::InterfaceTracker&) {}, // the engine sees links itself
                   [&](const model::UnitTracker& unit) { door_.tell_bus(bus::WatchUnit{tracker.name, unit.unit}); },
                   [&](const model::HttpTracker& http) {
                       ids_[tracker.name] = id;
                       watches_[id] = {tracker.name, nullptr};
                       subscribe(prober(), ipc::StartHttp{id, http.url, tracker.interval, tracker.timeout});
                   },
                   [&](const model::BfdTracker& bfd) { bfd_.start(tracker.name, bfd); },
                   [&](const model::ProcessTracker& process) {
                       ids_[tracker.name] = id;
                       auto& watch = watches_[id];
                       watch = {tracker.name, std::make_unique<ipc::ProcessSet>(process.process, process.quorum)};
                       door_.watch(watch.processes->fd(), [this, id] {
                           const auto at = watches_.find(id);
                           if (at != watches_.end() && at->second.processes->on_readable()) report(at->second);
                       });
                       subscribe(runner(), ipc::WatchProcesses{id, process.process, process.quorum});
                   },
               },
               tracker.kind);
}

void Trackers::subscribe(ipc::Helper& helper, const ipc::Request& request) {
    const auto done = helper.subscribe(request, door_.now());
    if (done) return;
    const auto at = watches_.find(ipc::id_of(request));
    door_.warn(fmt::format("tracker {} can't be watched: {}", at->second.tracker, done.error()));
    door_.deliver(engine::TrackerObserved{at->second.tracker, engine::Observation::unknown, done.error(), false});
}

void Trackers::stop(const std::string& name) {
    if (bfd_.has(name)) return bfd_.stop(name);
    const auto at = ids_.find(name);
    if (at == ids_.end()) return door_.tell_bus(bus::UnwatchUnit{name});
    const auto watch = watches_.find(at->second);
    if (watch->second.processes) door_.unwatch(watch->second.processes->fd());
    auto& helper = watch->second.processes ? runner_ : prober_;
    if (helper) helper->unsubscribe(at->second, door_.now());
    watches_.erase(watch);
    ids_.erase(at);
}

// ---- what the helpers say -----------------------------------------------------------------------------------------------

void Trackers::handle(std::vector<ipc::HelperEvent> events) {
    for (auto& event : events) {
        if (const auto* died = std::get_if<ipc::HelperDied>(&event)) {
            door_.warn(fmt::format("{}; its last verdicts hold, it is started again in {}", died->reason,
                                   to_string(died->retry)));
            continue;
        }
        auto* reported = std::get_if<ipc::Reported>(&event);
        if (!reported) continue;
        std::visit(Overloaded{[&](ipc::Verdict& verdict) { on_report(verdict); },
                              [&](ipc::ProcessesFound& found) { on_report(found, std::move(reported->fds)); }},
                   reported->report);
    }
}

void Trackers::on_report(ipc::Verdict& verdict) {
    const auto at = watches_.find(verdict.id);
    if (at == watches_.end()) return;
    door_.deliver(engine::TrackerObserved{at->second.tracker,
                                          verdict.ok ? engine::Observation::up : engine::Observation::down,
                                          std::move(verdict.detail), false});
}

void Trackers::on_report(const ipc::ProcessesFound& found, std::vector<Fd> fds) {
    const auto at = watches_.find(found.id);
    if (at == watches_.end() || !at->second.processes) return;
    if (at->second.processes->on_found(found, std::move(fds))) report(at->second);
}

void Trackers::report(const Watch& watch) {
    const auto verdict = watch.processes->verdict();
    if (!verdict.known) return;
    door_.deliver(engine::TrackerObserved{watch.tracker,
                                          verdict.up ? engine::Observation::up : engine::Observation::down,
                                          verdict.text, verdict.degraded});
}

Time Trackers::next_deadline() const {
    return std::min(
        {bfd_.next_deadline(), prober_ ? prober_->next_deadline() : never, runner_ ? runner_->next_deadline() : never});
}

void Trackers::on_deadline() {
    if (bfd_.next_deadline() <= door_.now()) bfd_.on_deadline();
    for (auto* helper : {prober_.get(), runner_.get()})
        if (helper && helper->next_deadline() <= door_.now()) handle(helper->on_deadline(door_.now()));
}

} // namespace holdfast::daemon
