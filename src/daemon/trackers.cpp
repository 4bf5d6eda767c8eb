#include "daemon/trackers.hpp"

#include "base/result.hpp"
#include "ipc/service.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace holdfast::daemon {

Trackers::Trackers(Helpers helpers, Door door)
    : where_{std::move(helpers)}, door_{std::move(door)},
      bfd_{{.deliver = door_.deliver, .watch = door_.watch, .unwatch = door_.unwatch, .now = door_.now}} {}

Trackers::~Trackers() = default;

// ---- the helpers --------------------------------------------------------------------------------------------------------

std::unique_ptr<ipc::Helper> Trackers::begin(const std::string& role) {
    const auto name = "holdfast-" + role;
    std::vector<std::string> command{(where_.programs / name).string()};
    if (where_.probe_rights && role == "prober") command.emplace_back(ipc::keep_rights);
    auto helper = std::make_unique<ipc::Helper>(
        ipc::Helper::Options{.name = name,
                             .command = std::move(command),
                             .socket = where_.sockets.empty() ? std::filesystem::path{} : where_.sockets / role});
    auto* raw = helper.get();
    door_.watch(raw->fd(), [this, raw, role] { handle(role, raw->on_readable(door_.now())); });
    handle(role, helper->start(door_.now()));
    return helper;
}

ipc::Helper& Trackers::prober() {
    if (!prober_) prober_ = begin("prober");
    return *prober_;
}

ipc::Helper& Trackers::runner() {
    if (!runner_) runner_ = begin("runner");
    return *runner_;
}

void Trackers::prepare_now() {
    prepare_at_ = never;
    if (where_.sockets.empty()) return;
    prober();
    runner();
}

// ---- trackers -----------------------------------------------------------------------------------------------------------

void Trackers::start(const model::Tracker& tracker) {
    const ipc::WatchId id{next_id_++};
    const auto probe = [&](const ipc::Request& request) {
        subscribe(prober(), {.tracker = tracker.name, .by_prober = true}, request);
    };
    std::visit(Overloaded{
                   [&](const model::InterfaceTracker& link) { // the engine sees links itself
                       if (link.poll > Duration{0}) probe(ipc::StartCarrier{id, link.interface, link.poll});
                   },
                   [](const model::RouteTracker&) {},  // and routes
                   [](const model::ServerTracker&) {}, // and decides about virtual servers
                   [&](const model::UnitTracker& unit) { door_.tell_bus(bus::WatchUnit{tracker.name, unit.unit}); },
                   [&](const model::HttpTracker& http) {
                       probe(ipc::StartHttp{id, http.url, tracker.interval, tracker.timeout});
                   },
                   [&](const model::BfdTracker& bfd) { bfd_.start(tracker.name, bfd); },
                   [&](const model::TcpTracker& tcp) {
                       probe(ipc::StartTcp{id, tcp.address, tracker.interval, tracker.timeout});
                   },
                   [&](const model::ProcessTracker& process) { watch_processes(id, tracker, process); },
                   [&](const model::ScriptTracker& script) {
                       subscribe(runner(), {.tracker = tracker.name},
                                 ipc::StartScript{id, script.script, script.user, tracker.interval, tracker.timeout});
                   },
                   [&](const model::FileTracker& file) {
                       subscribe(runner(), {.tracker = tracker.name, .missing_file = file.init},
                                 ipc::WatchFile{id, file.file});
                   },
               },
               tracker.kind);
}

void Trackers::watch_processes(ipc::WatchId id, const model::Tracker& tracker, const model::ProcessTracker& process) {
    auto set = std::make_unique<ipc::ProcessSet>(model::target(tracker.kind), process.quorum, process.quorum_max);
    door_.watch(set->fd(), [this, id] {
        const auto at = watches_.find(id);
        if (at != watches_.end() && at->second.processes->on_readable()) report(at->second);
    });
    const bool none_wanted = process.quorum_max == 0U;
    subscribe(runner(), {.tracker = tracker.name, .processes = std::move(set)},
              ipc::WatchProcesses{id, process.process, none_wanted ? 0 : process.quorum,
                                  process.command.empty() ? process.arguments : process.command, process.match});
}

void Trackers::subscribe(ipc::Helper& helper, Watch watch, const ipc::Request& request) {
    const auto id = ipc::id_of(request);
    ids_[watch.tracker] = id;
    const auto& kept = watches_[id] = std::move(watch);
    const auto done = helper.subscribe(request, door_.now());
    if (done) return;
    door_.warn(fmt::format("tracker {} can't be watched: {}", kept.tracker, done.error()));
    door_.deliver(engine::TrackerObserved{kept.tracker, engine::Observation::unknown, done.error()});
}

void Trackers::stop(const std::string& name) {
    if (bfd_.has(name)) return bfd_.stop(name);
    const auto at = ids_.find(name);
    if (at == ids_.end()) return door_.tell_bus(bus::UnwatchUnit{name});
    const auto watch = watches_.find(at->second);
    if (watch->second.processes) door_.unwatch(watch->second.processes->fd());
    auto& helper = watch->second.by_prober ? prober_ : runner_;
    if (helper) helper->unsubscribe(at->second, door_.now());
    watches_.erase(watch);
    ids_.erase(at);
}

// ---- what the helpers say -----------------------------------------------------------------------------------------------

void Trackers::handle(const std::string& role, std::vector<ipc::HelperEvent> events) {
    for (auto& event : events) {
        if (const auto* died = std::get_if<ipc::HelperDied>(&event)) {
            door_.warn(fmt::format("{}; its last verdicts hold, it is tried again in {}", died->reason,
                                   to_string(died->retry)));
            door_.missing(role, fmt::format("{}; its last verdicts hold", died->reason));
            continue;
        }
        if (std::holds_alternative<ipc::HelperServes>(event)) door_.missing(role, {});
        auto* reported = std::get_if<ipc::Reported>(&event);
        if (!reported) continue;
        std::visit(Overloaded{[&](ipc::Verdict& verdict) { on_report(verdict); },
                              [&](ipc::FileFound& found) { on_report(found); },
                              [&](ipc::Ended& ended) { on_report(ended); },
                              [&](ipc::ProcessesFound& found) { on_report(found, std::move(reported->fds)); }},
                   reported->report);
    }
}

void Trackers::on_report(ipc::Verdict& verdict) {
    if (const auto repeated = repeated_.find(verdict.id); repeated != repeated_.end())
        return repeated->second.told(verdict);
    const auto at = watches_.find(verdict.id);
    if (at == watches_.end()) return;
    door_.deliver(engine::TrackerObserved{.tracker = at->second.tracker,
                                          .observation = verdict.unknown ? engine::Observation::unknown
                                                         : verdict.ok    ? engine::Observation::up
                                                                         : engine::Observation::down,
                                          .detail = std::move(verdict.detail),
                                          .skipped = verdict.skipped,
                                          .took = verdict.latency});
}

/// A file that can't be read says nothing, so it has no effect; one that is not there says what `init` says.
void Trackers::on_report(const ipc::FileFound& found) {
    const auto at = watches_.find(found.id);
    if (at == watches_.end()) return;
    const auto value = found.there ? found.value : at->second.missing_file;
    const auto observation = !found.legible ? engine::Observation::unknown
                             : value == 0   ? engine::Observation::up
                                            : engine::Observation::down;
    const bool by_init = !found.there && value != 0;
    door_.deliver(
        engine::TrackerObserved{.tracker = at->second.tracker,
                                .observation = observation,
                                .detail = by_init ? fmt::format("{}: counts as {}", found.detail, value) : found.detail,
                                .value = found.legible ? value : 0});
}

ipc::WatchId Trackers::once(By helper, const std::function<ipc::Request(ipc::WatchId)>& make,
                            std::function<void(const ipc::Ended&)> done) {
    const ipc::WatchId id{next_id_++};
    once_.emplace(id, Once{helper, std::move(done)});
    const auto asked = this->helper(helper).subscribe(make(id), door_.now());
    if (asked) return id;
    // Not from inside the call: whoever asks does not expect its answer yet.
    refused_.push_back({id, false, ipc::printable(asked.error()), {}});
    return id;
}

Result<ipc::WatchId> Trackers::repeat(By helper, const std::function<ipc::Request(ipc::WatchId)>& make,
                                      std::function<void(const ipc::Verdict&)> told) {
    const ipc::WatchId id{next_id_++};
    if (const auto asked = this->helper(helper).subscribe(make(id), door_.now()); !asked)
        return unexpected{asked.error()};
    repeated_.emplace(id, Repeated{helper, std::move(told)});
    return id;
}

void Trackers::begin_again(ipc::WatchId id, const std::function<ipc::Request(ipc::WatchId)>& make) {
    const auto at = repeated_.find(id);
    // It was taken once, so it is taken again.
    if (at != repeated_.end()) static_cast<void>(helper(at->second.helper).subscribe(make(id), door_.now()));
}

void Trackers::forget(ipc::WatchId id) {
    const auto once = once_.find(id);
    const auto repeated = repeated_.find(id);
    if (once == once_.end() && repeated == repeated_.end()) return;
    const auto who = once != once_.end() ? once->second.helper : repeated->second.helper;
    const auto& helper = who == By::prober ? prober_ : runner_;
    if (once != once_.end()) once_.erase(once);
    if (repeated != repeated_.end()) repeated_.erase(repeated);
    if (helper) helper->unsubscribe(id, door_.now());
}

void Trackers::on_report(ipc::Ended& ended) {
    if (const auto at = once_.find(ended.id); at != once_.end()) {
        const auto done = std::move(at->second.done);
        forget(ended.id);
        return done(ended);
    }
    if (const auto at = watches_.find(ended.id); at != watches_.end()) // there are too many scripts
        door_.deliver(
            engine::TrackerObserved{at->second.tracker, engine::Observation::unknown, std::move(ended.detail)});
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
    if (!refused_.empty()) return Time{};
    return std::min({prepare_at_, bfd_.next_deadline(), prober_ ? prober_->next_deadline() : never,
                     runner_ ? runner_->next_deadline() : never});
}

void Trackers::on_deadline() {
    if (prepare_at_ <= door_.now()) prepare_now();
    if (bfd_.next_deadline() <= door_.now()) bfd_.on_deadline();
    for (auto& refused : std::exchange(refused_, {}))
        on_report(refused);
    for (const auto& [role, helper] : {std::pair{"prober", prober_.get()}, std::pair{"runner", runner_.get()}})
        if (helper && helper->next_deadline() <= door_.now()) handle(role, helper->on_deadline(door_.now()));
}

} // namespace holdfast::daemon
