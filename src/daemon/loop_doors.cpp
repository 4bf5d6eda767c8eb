// The doors of the loop: what the kernel, the executor, people and signals say, as events for the engine.
#include "daemon/clock.hpp"
#include "daemon/loop.hpp"

#include <algorithm>
#include <csignal>
#include <fmt/format.h>

namespace holdfast::daemon {

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
                       [&](bus::UnitReloaded& m) { upstreams_->reloaded(m.id, std::move(m.problem)); },
                       [&](bus::Missing& m) {
                           std::erase_if(facts_->missing,
                                         [&](const std::string& text) { return text.starts_with(m.what + ": "); });
                           if (!m.text.empty()) facts_->missing.push_back(m.what + ": " + m.text);
                           facts_changed_ = true;
                       }},
            message);
}

kernel::Ipvs& Loop::ipvs() {
    if (!ipvs_)
        ipvs_ = std::make_unique<kernel::Ipvs>([this](kernel::Ipvs::Answer answer) {
            if (auto* const listed = std::get_if<engine::IpvsListed>(&answer))
                from_executor_.push(engine::IpvsRead{std::make_shared<const engine::IpvsListed>(std::move(*listed))});
            else
                from_executor_.push(std::get<engine::IpvsDone>(std::move(answer)));
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
    deliver(engine::StopRequested{});
}

void Loop::begin_reload(std::optional<std::uint64_t> command) {
    if (reloads_->ask(command)) parts_.tell_bus(bus::ReloadBegan{});
}

void Loop::on_loaded() {
    for (auto& loaded : from_loader_.take()) {
        facts_->last_reload_result = loaded.config ? "ok" : "failed";
        facts_->last_reload_errors = loaded.config ? std::vector<std::string>{} : loaded.problems;
        facts_changed_ = true;
        if (loaded.config) {
            facts_->config_hash = loaded.hash;
            facts_->config_loaded_usec = read_clock(CLOCK_REALTIME) / 1us;
            reloads_->dispose(std::exchange(parts_.config.config, loaded.config));
            mailer_->configure(loaded.config->mail);
            deliver(engine::ConfigLoaded{loaded.config});
        }
        const auto kind = loaded.config ? engine::NoteKind::config_loaded : engine::NoteKind::config_rejected;
        parts_.tell_bus(engine::Note{
            loaded.config ? engine::Severity::notice : engine::Severity::error,
            kind,
            "",
            loaded.config ? fmt::format("configuration {} loaded", loaded.hash)
                          : fmt::format("configuration rejected, the old one stays in force: {} problem(s)",
                                        loaded.problems.size()),
            {},
            {},
            {}});
        answers_.emplace_back(bus::ReloadEnded{reloads_->answered(), loaded.config != nullptr, loaded.problems});
        if (reloads_->ended()) answers_.emplace_back(bus::ReloadBegan{});
    }
}

} // namespace holdfast::daemon
