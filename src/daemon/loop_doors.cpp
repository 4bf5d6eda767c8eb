// The doors of the loop: what the kernel, the executor, people and signals say, as events for the engine.
#include "daemon/clock.hpp"
#include "daemon/loop.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>

namespace holdfast::daemon {
namespace {

constexpr Duration job_limit = 1s;               ///< the bus thread answers before, or hangs
constexpr Duration last_scripts_of_restart = 5s; ///< what a restart still waits for, well within TimeoutStopSec

} // namespace

void Loop::list_kernel() {
    if (listing_) return;
    listing_ = true;
    executor_->list();
}

/// News that is older than a listing under way is replayed behind it: the last word on each object is the newest.
void Loop::on_kernel_news() {
    const bool complete = observer_->read([this](engine::Event event) {
        if (listing_)
            held_news_.push_back(std::move(event));
        else
            deliver(event);
    });
    if (complete) return;
    if (listing_) held_news_.clear();
    listing_ = false;
    list_kernel();
}

/// Answers in a row are delivered together.
void Loop::on_outcomes() {
    std::vector<engine::Event> answers;
    const auto deliver_answers = [&] {
        if (!answers.empty()) deliver(answers, now_);
        answers.clear();
    };
    for (auto& outcome : from_executor_.take()) {
        auto* event = std::get_if<engine::Event>(&outcome);
        if (event && std::holds_alternative<engine::OperationDone>(*event)) {
            answers.push_back(std::move(*event));
            continue;
        }
        deliver_answers();
        if (!event) {
            wires_->opened(std::move(std::get<kernel::SocketsOpened>(outcome)));
            continue;
        }
        deliver(*event);
        if (!std::holds_alternative<engine::KernelListed>(*event)) continue;
        listing_ = false;
        for (const auto& news : std::exchange(held_news_, {}))
            deliver(news);
    }
    deliver_answers();
}

/// Signatures are judged by the wall clock: the engine is told how far it is from ours, whenever that changes.
void Loop::tell_wall_clock() {
    constexpr Duration worth_telling = 1ms;
    const auto ahead = read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC);
    if (wall_ahead_ && std::chrono::abs(ahead - *wall_ahead_) < worth_telling) return;
    wall_ahead_ = ahead;
    deliver(engine::WallClockSet{ahead});
}

void Loop::on_bus() {
    for (auto& message : parts_.from_bus->take())
        std::visit(
            Overloaded{[&](bus::CommandReceived& m) { deliver(m.command); },
                       [&](bus::ServerCommandReceived& m) { deliver(m.command); },
                       [&](bus::ReloadRequested& m) { begin_reload(m.command); },
                       [&](bus::UnitObserved& m) { deliver(m.observed); },
                       [&](bus::MaintenanceRequested& m) { maintenance_->set({m.command, std::move(m.reason)}); },
                       [&](bus::ServerChangeRequested& m) { reloads_->change(std::move(m)); },
                       [&](bus::UnitReloaded& m) { upstreams_->reloaded(m.id, std::move(m.problem)); },
                       [&](bus::OwnJobKnown& m) {
                           if (job_until_ != never) end(m.restart);
                       },
                       [&](bus::Missing& m) { set_missing(m.what, m.text); }},
            message);
}

/// In the status, until `text` is empty.
void Loop::set_missing(const std::string& what, const std::string& text) {
    const auto line = text.empty() ? std::string{} : what + ": " + text;
    const auto is_of_it = [&](const std::string& each) { return each.starts_with(what + ": "); };
    const auto known = std::ranges::find_if(facts_->missing, is_of_it);
    if (line == (known == facts_->missing.end() ? std::string{} : *known)) return;
    auto& missing = change_facts().missing;
    std::erase_if(missing, is_of_it);
    if (!line.empty()) missing.push_back(line);
}

/// A copy of what the bus thread may be reading.
bus::NodeFacts& Loop::change_facts() {
    if (!std::exchange(facts_changed_, true)) facts_ = std::make_shared<bus::NodeFacts>(*facts_);
    return *facts_;
}

kernel::Ipvs& Loop::ipvs() {
    if (!ipvs_)
        ipvs_ = std::make_unique<kernel::Ipvs>([this](kernel::Ipvs::Answer answer) {
            std::visit([this](auto&& each) { from_executor_.push(std::move(each)); }, std::move(answer));
        });
    return *ipvs_;
}

Upstreams& Loop::upstreams() {
    if (!upstreams_)
        upstreams_ = std::make_unique<Upstreams>(
            parts_.options.state_directory / "nginx",
            Upstreams::Door{
                .reload_unit = [tell = parts_.tell_bus](std::uint64_t id,
                                                        const std::string& unit) { tell(bus::ReloadUnit{id, unit}); },
                .report =
                    [this](engine::UpstreamsWritten written) {
                        from_executor_.push(engine::Event{std::move(written)});
                    }});
    return *upstreams_;
}

void Loop::on_signal(int number) {
    if (number == SIGHUP) return begin_reload(std::nullopt);
    // Only a service manager restarts, and only a record is adopted from; who asks twice wants to see the end.
    const bool may_be_restart = number == SIGTERM && parts_.record && std::getenv("NOTIFY_SOCKET") != nullptr &&
                                job_until_ == never && restart_until_ == never;
    if (!may_be_restart) return end(false);
    job_until_ = now_ + job_limit;
    parts_.tell_bus(bus::AskOwnJob{});
}

/// A stop hands over; a restart waits until everybody has heard what happened before it, and moves nothing.
void Loop::end(bool restart) {
    job_until_ = restart_until_ = never;
    if (restart)
        restart_until_ = now_ + last_scripts_of_restart;
    else
        stop();
}

void Loop::stop() {
    stop_mark_.set();
    deliver(engine::StopRequested{});
}

void Loop::end_if_told() {
    if (finished_ || restart_until_ == never) return;
    const bool is_told = notifier_->idle() && mailer_->idle() && !notifier_->lines_wait();
    if (!is_told && now_ < restart_until_) return;
    restart_until_ = never;
    deliver(engine::StopRequested{.returns = true, .takes = parts_.options.restart_takes});
}

/// Links that are gone or that nobody listens on any more.
void Loop::forget_unused() {
    for (auto& name : parts_.kept.names())
        parts_.tell_bus(bus::ForgetDescriptor{std::move(name)});
    parts_.kept = {};
}

void Loop::keep_record() {
    if (!parts_.record) return;
    // Under this name there may be one that we could not go on with.
    parts_.tell_bus(bus::ForgetDescriptor{kept_record});
    Fd copy{::fcntl(parts_.record->descriptor().get(), F_DUPFD_CLOEXEC, 0)};
    if (copy) parts_.tell_bus(bus::KeepDescriptor{kept_record, std::move(copy)});
}

void Loop::begin_reload(std::optional<std::uint64_t> command) {
    if (reloads_->ask(command)) parts_.tell_bus(bus::ReloadBegan{});
}

void Loop::on_loaded() {
    for (auto& loaded : from_loader_.take())
        if (loaded.change)
            on_changed(loaded);
        else
            on_reloaded(loaded);
}

void Loop::on_reloaded(LoadedConfig& loaded) {
    auto& facts = change_facts();
    facts.last_reload_result = loaded.config ? "ok" : "failed";
    facts.last_reload_errors = loaded.config ? std::vector<std::string>{} : loaded.problems;
    put_in_force(loaded);
    const auto kind = loaded.config ? engine::NoteKind::config_loaded : engine::NoteKind::config_rejected;
    parts_.tell_bus(engine::Note{
        loaded.config ? engine::Severity::notice : engine::Severity::error,
        kind,
        "",
        loaded.config
            ? fmt::format("configuration {} loaded, read in {}", loaded.hash,
                          to_string(std::chrono::ceil<std::chrono::milliseconds>(loaded.took)))
            : fmt::format("configuration rejected, the old one stays in force: {} problem(s)", loaded.problems.size()),
        {},
        {},
        {}});
    answers_.emplace_back(bus::ReloadEnded{reloads_->answered(), loaded.config != nullptr, loaded.problems});
    if (reloads_->ended()) answers_.emplace_back(bus::ReloadBegan{});
}

void Loop::on_changed(LoadedConfig& loaded) {
    put_in_force(loaded);
    if (loaded.config)
        parts_.tell_bus(engine::Note{engine::Severity::notice,
                                     engine::NoteKind::server_changed,
                                     "",
                                     fmt::format("{}: configuration {}", loaded.change->text, loaded.hash),
                                     {},
                                     {},
                                     {}});
    answers_.emplace_back(std::move(*loaded.change));
}

/// Nothing to put: it is refused.
void Loop::put_in_force(const LoadedConfig& loaded) {
    if (!loaded.config) return;
    auto& facts = change_facts();
    facts.config_hash = loaded.hash;
    facts.config_loaded_usec = read_clock(CLOCK_REALTIME) / 1us;
    reloads_->dispose(std::exchange(parts_.config.config, loaded.config));
    mailer_->configure(loaded.config->mail);
    deliver(engine::ConfigLoaded{loaded.config});
}

} // namespace holdfast::daemon
