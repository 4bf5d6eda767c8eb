#include "daemon/loop.hpp"

#include "base/assert.hpp"
#include "base/result.hpp"
#include "daemon/clock.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

namespace holdfast::daemon {
namespace {

// sd-event runs what is ready in this order: the end of each turn, the wire before every other news, the clock when nothing
// else waits. Where news never ends, the clock is served at the end of a turn (serve_overdue()).
constexpr int priority_end = -30;
constexpr int priority_wire = -20;
constexpr int priority_doors = -10; // the kernel's and people's: in turn, so that a storm of news keeps nobody out
constexpr int priority_timer = 10;
constexpr std::uint64_t timer_accuracy_usec = 1; // 0 would mean 250 ms (sd_event_add_time(3))

constexpr Duration counters_every = 1s; ///< views of counters are this fresh

// What a stop still waits for when everything has left, well within TimeoutStopSec.
constexpr Duration last_lines = 300ms;
constexpr Duration last_scripts = 10s;

std::uint64_t to_usec(Time time) {
    if (time == never) return UINT64_MAX;
    // Rounded up: a timer that fires a fraction early would find nothing to do and fire again.
    return static_cast<std::uint64_t>(
        std::chrono::ceil<std::chrono::microseconds>(std::max(time, Time{}).time_since_epoch()).count());
}

} // namespace

struct Loop::Source {
    Loop* loop{nullptr};
    sd_event_source* source{nullptr};
    std::function<void()> callback;
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    ~Source() { sd_event_source_disable_unref(source); }
};

// ---- set-up -------------------------------------------------------------------------------------------------------------

Loop::Loop(Parts parts) : parts_{std::move(parts)}, facts_{std::make_shared<bus::NodeFacts>()} {
    HF_ASSERT(sd_event_new(&event_) >= 0);
    executor_ = [&] {
        auto executor =
            kernel::Executor::start([this](kernel::Outcome outcome) { from_executor_.push(std::move(outcome)); });
        HF_ASSERT(executor);
        return std::move(*executor);
    }();
    auto observer = kernel::Observer::open();
    HF_ASSERT(observer);
    observer_ = std::make_unique<kernel::Observer>(std::move(*observer));
    reloads_ = std::make_unique<Reloads>(parts_.options,
                                         [this](LoadedConfig loaded) { from_loader_.push(std::move(loaded)); });
    wires_ = std::make_unique<Wires>(Wires::Door{
        .deliver = [this](const engine::Event& event, Time arrived) { deliver(event, arrived); },
        .before_adverts = [this] { tell_wall_clock(); },
        .watch = [this](int fd, std::function<void()> callback) { watch(fd, priority_wire, std::move(callback)); },
        .unwatch = [this](int fd) { unwatch(fd); },
        .enable =
            [this](int fd, bool on) {
                sd_event_source_set_enabled(sources_.at(fd)->source, on ? SD_EVENT_ON : SD_EVENT_OFF);
            },
        .now = [this] { return now_; }});
    trackers_ = std::make_unique<Trackers>(
        parts_.options.helper_directory,
        Trackers::Door{
            .deliver = [this](engine::Event event) { deliver(event); },
            .tell_bus = parts_.tell_bus,
            .watch = [this](int fd, std::function<void()> callback) { watch(fd, priority_doors, std::move(callback)); },
            .unwatch = [this](int fd) { unwatch(fd); },
            .warn =
                [this](std::string text) {
                    parts_.tell_bus(engine::Note{
                        engine::Severity::warning, engine::NoteKind::missing_service, "", std::move(text), {}, {}, {}});
                },
            .now = [this] { return now_; }});

    const auto warn_of_notification = [this](std::string text) {
        parts_.tell_bus(
            engine::Note{engine::Severity::warning, engine::NoteKind::script_ended, "", std::move(text), {}, {}, {}});
    };
    mailer_ = std::make_unique<Mailer>(Mailer::Door{
        .attempt = [this](const auto& make,
                          auto done) { return trackers_->once(Trackers::By::prober, make, std::move(done)); },
        .warn = warn_of_notification,
        .now = [this] { return now_; }});
    notifier_ = std::make_unique<Notifier>(Notifier::Door{.once =
                                                              [this](const auto& make, auto done) {
                                                                  return trackers_->once(Trackers::By::runner, make,
                                                                                         std::move(done));
                                                              },
                                                          .forget = [this](ipc::WatchId id) { trackers_->forget(id); },
                                                          .deliver = [this](engine::Event event) { deliver(event); },
                                                          .tell_bus = parts_.tell_bus,
                                                          .warn = warn_of_notification},
                                           *mailer_);

    watch(observer_->fd(), priority_doors, [this] { on_kernel_news(); });
    watch(from_executor_.fd(), priority_doors, [this] { on_outcomes(); });
    watch(parts_.from_bus->fd(), priority_doors, [this] { on_bus(); });
    watch(from_loader_.fd(), priority_doors, [this] { on_loaded(); });
    const auto on_signal_source = [](sd_event_source*, const signalfd_siginfo* info, void* self) {
        auto* loop = static_cast<Loop*>(self);
        loop->now_ = monotonic_now();
        loop->on_signal(static_cast<int>(info->ssi_signo));
        return 0;
    };
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
        auto*& source = other_sources_.emplace_back();
        HF_ASSERT(sd_event_add_signal(event_, &source, number, on_signal_source, this) >= 0);
        sd_event_source_set_priority(source, priority_doors);
    }
    const auto on_time = [](sd_event_source*, std::uint64_t, void* self) {
        static_cast<Loop*>(self)->on_timer();
        return 0;
    };
    HF_ASSERT(sd_event_add_time(event_, &timer_, CLOCK_MONOTONIC, UINT64_MAX, timer_accuracy_usec, on_time, this) >= 0);
    sd_event_source_set_priority(timer_, priority_timer);
    // After every dispatch, whatever it was: carry out, publish, and set the clock.
    const auto after_dispatch = [](sd_event_source*, void* self) {
        static_cast<Loop*>(self)->end_turn();
        return 0;
    };
    auto*& end = other_sources_.emplace_back();
    HF_ASSERT(sd_event_add_post(event_, &end, after_dispatch, this) >= 0);
    sd_event_source_set_priority(end, priority_end);
}

Loop::~Loop() {
    notifier_.reset();
    mailer_.reset();
    trackers_.reset();
    wires_.reset();
    sources_.clear();
    for (auto* source : other_sources_)
        sd_event_source_disable_unref(source);
    sd_event_source_disable_unref(timer_);
    reloads_.reset();
    nft_.reset();
    executor_.reset();
    sd_event_unref(event_);
}

int Loop::run() {
    now_ = monotonic_now();
    facts_->config_path = parts_.options.config.string();
    facts_->config_hash = parts_.config.hash;
    facts_->config_loaded_usec = read_clock(CLOCK_REALTIME) / 1us;
    facts_->missing = parts_.missing;
    tell_wall_clock();
    if (parts_.record) {
        auto record = parts_.record->read();
        if (record) deliver(engine::Recovered{std::move(*record), boot_now()});
    }
    mailer_->configure(parts_.config.config->mail);
    deliver(engine::ConfigLoaded{parts_.config.config});
    list_kernel();
    if (parts_.heartbeat > Duration::zero()) next_heartbeat_ = now_;
    end_turn();
    while (!finished_ || !notified())
        if (sd_event_run(event_, UINT64_MAX) < 0) return 1;
    return 0;
}

// ---- the turn -----------------------------------------------------------------------------------------------------------

void Loop::deliver(const engine::Event& event) {
    deliver(event, now_);
}

void Loop::deliver(const engine::Event& event, Time when) {
    deliver(std::span{&event, 1}, when);
}

void Loop::deliver(std::span<const engine::Event> events, Time when) {
    engine_.on(events, when, actions_);
    perform();
}

void Loop::perform() {
    // Carrying out an action may deliver an event, which appends more: by index, because the vector may grow.
    if (performing_) return;
    performing_ = true;
    for (std::size_t i = 0; i < actions_.size(); ++i) {
        auto action = std::move(actions_[i]);
        perform(action);
    }
    actions_.clear();
    performing_ = false;
}

void Loop::perform(engine::Action& any) {
    // An advert waits for nothing that comes behind it: its address's removal, an announcement, the bus thread's waking up.
    if (!std::holds_alternative<engine::SendAdvert>(any)) wires_->flush();
    std::visit(Overloaded{
                   [&](engine::SendAdvert& action) {
                       if (parts_.record && action.sequence != 0)
                           parts_.record->number_used(action.router, action.sequence);
                       wires_->queue(action);
                       if (parts_.record && action.priority != leaving_priority)
                           parts_.record->advert_sent(action.router, boot_now());
                   },
                   [&](engine::Announce& action) { wires_->announce(action); },
                   [&](engine::Listen& action) { executor_->open(action.link, action.family); },
                   [&](engine::ListenFor& action) {
                       if (auto useless = wires_->listen_for(action)) executor_->close(std::move(useless));
                   },
                   [&](engine::Unlisten& action) {
                       if (auto sockets = wires_->closed(action)) executor_->close(std::move(sockets));
                   },
                   [&](engine::SetFilter& action) {
                       if (!nft_)
                           nft_ = std::make_unique<kernel::Nft>(
                               [this](engine::Event event) { from_executor_.push(std::move(event)); });
                       nft_->set(std::move(action));
                   },
                   [&](engine::Operation& action) { executor_->run(std::move(action)); },
                   [&](engine::ListKernel&) { list_kernel(); },
                   [&](engine::WatchRoutes& action) {
                       observer_->watch(action);
                       executor_->watch(std::move(action));
                   },
                   [&](engine::StartTracker& action) { trackers_->start(action.tracker); },
                   [&](engine::StopTracker& action) { trackers_->stop(action.name); },
                   [&](engine::RestartUnit& action) {
                       parts_.tell_bus(bus::RestartUnit{std::move(action.tracker), std::move(action.unit)});
                   },
                   [&](engine::Reply& action) { answers_.emplace_back(std::move(action)); },
                   [&](engine::Tell& action) { parts_.tell_bus(std::move(action.note)); },
                   [&](engine::RunHook& action) { notifier_->run(action); },
                   [&](engine::Finished&) {
                       finished_ = true;
                       lines_until_ = now_ + last_lines;
                       scripts_until_ = now_ + last_scripts;
                   },
               },
               any);
}

/// While news of the kernel comes faster than it is taken, sd-event never gets to the clock, whose priority is the least.
void Loop::serve_overdue() {
    if (engine_.next_deadline() > monotonic_now()) return;
    now_ = monotonic_now();
    wires_->read_watched();
    on_timer();
}

void Loop::end_turn() {
    perform();
    if (!finished_) serve_overdue();
    wires_->flush();
    if (engine_.record_changed()) write_record();
    if (engine_.view_changed() || facts_changed_) publish();
    for (auto& answer : std::exchange(answers_, {}))
        parts_.tell_bus(std::move(answer)); // whoever asked finds what came of it
    arm_timer();
}

void Loop::arm_timer() {
    const auto deadline = std::min({finished_ ? last_deadline() : engine_.next_deadline(), trackers_->next_deadline(),
                                    mailer_->next_deadline(), next_counters_, next_heartbeat_, wires_->next_look()});
    sd_event_source_set_time(timer_, to_usec(deadline));
    sd_event_source_set_enabled(timer_, SD_EVENT_ONESHOT);
}

void Loop::on_timer() {
    const auto now = now_ = monotonic_now();
    tell_wall_clock();
    wires_->look_at_resting(); // the receive queues before the deadlines
    if (engine_.next_deadline() <= now) deliver(engine::Elapsed{});
    if (trackers_->next_deadline() <= now) trackers_->on_deadline();
    if (mailer_->next_deadline() <= now) mailer_->on_deadline();
    if (now >= next_counters_) {
        next_counters_ = now + counters_every;
        engine_.touch_counters();
    }
    if (now >= next_heartbeat_) {
        next_heartbeat_ = now + parts_.heartbeat;
        parts_.tell_bus(bus::Heartbeat{});
    }
}

void Loop::publish() {
    if (facts_changed_) facts_ = std::make_shared<bus::NodeFacts>(*facts_);
    facts_changed_ = false;
    const auto snapshot = engine_.snapshot();
    parts_.tell_bus(bus::Published{snapshot, facts_});
    notifier_->take(*snapshot);
    if (!ready_told_ && engine_.kernel().listed()) {
        ready_told_ = true;
        parts_.tell_bus(bus::Ready{});
    }
}

void Loop::write_record() {
    auto record = engine_.record();
    if (parts_.record) parts_.record->write(std::move(record));
}

Time Loop::last_deadline() const {
    return notifier_->lines_wait() && now_ < lines_until_ ? lines_until_ : scripts_until_;
}

/// What the end was told to has heard it, or had its time.
bool Loop::notified() const {
    const auto now = monotonic_now();
    return ((notifier_->idle() && mailer_->idle()) || now >= scripts_until_) &&
           (!notifier_->lines_wait() || now >= lines_until_);
}

// ---- the doors ----------------------------------------------------------------------------------------------------------

void Loop::watch(int fd, int priority, std::function<void()> callback) {
    auto source = std::make_unique<Source>();
    source->loop = this;
    source->callback = std::move(callback);
    const auto dispatch = [](sd_event_source*, int, std::uint32_t, void* self) {
        auto* source_of_event = static_cast<Source*>(self);
        source_of_event->loop->now_ = monotonic_now();
        const auto call = source_of_event->callback; // it may unwatch itself
        call();
        return 0;
    };
    HF_ASSERT(sd_event_add_io(event_, &source->source, fd, EPOLLIN, dispatch, source.get()) >= 0);
    sd_event_source_set_priority(source->source, priority);
    sources_[fd] = std::move(source);
}

void Loop::unwatch(int fd) {
    sources_.erase(fd);
}

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
        std::visit(Overloaded{[&](bus::CommandReceived& m) { deliver(m.command); },
                              [&](bus::ReloadRequested& m) { begin_reload(m.command); },
                              [&](bus::UnitObserved& m) { deliver(m.observed); },
                              [&](bus::Missing& m) {
                                  std::erase_if(facts_->missing, [&](const std::string& text) {
                                      return text.starts_with(m.what + ": ");
                                  });
                                  if (!m.text.empty()) facts_->missing.push_back(m.what + ": " + m.text);
                                  facts_changed_ = true;
                              }},
                   message);
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
