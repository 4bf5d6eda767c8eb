#include "daemon/loop.hpp"

#include "base/assert.hpp"
#include "base/result.hpp"
#include "daemon/clock.hpp"

#include <algorithm>
#include <csignal>

namespace holdfast::daemon {
namespace {

constexpr Duration counters_every = 1s; ///< views of counters are this fresh

// What a stop still waits for when everything has left, well within TimeoutStopSec.
constexpr Duration last_lines = 300ms;
constexpr Duration last_scripts = 10s;

// After READY: an adoption has the processors for itself.
constexpr Duration helpers_later = 1s;

} // namespace

// ---- set-up -------------------------------------------------------------------------------------------------------------

Loop::Loop(Parts parts)
    : parts_{std::move(parts)}, events_{{.woken = [this] { now_ = monotonic_now(); },
                                         .signal = [this](int number) { on_signal(number); },
                                         .timer = [this] { on_timer(); },
                                         .ended = [this] { end_turn(); }},
                                        {SIGTERM, SIGINT, SIGHUP}},
      facts_{std::make_shared<bus::NodeFacts>()} {
    executor_ = [&] {
        auto executor =
            kernel::Executor::start([this](kernel::Outcome outcome) { from_executor_.push(std::move(outcome)); });
        HF_ASSERT(executor);
        return std::move(*executor);
    }();
    auto observer = kernel::Observer::open();
    HF_ASSERT(observer);
    observer_ = std::make_unique<kernel::Observer>(std::move(*observer));
    reloads_ = std::make_unique<Reloads>(parts_.options, parts_.config,
                                         [this](LoadedConfig loaded) { from_loader_.push(std::move(loaded)); });
    parts_.config.texts.reset(); // the loader's
    wires_ = std::make_unique<Wires>(Wires::Door{
        .deliver = [this](const engine::Event& event, Time arrived) { deliver(event, arrived); },
        .expect = [this](const engine::Event& event) { engine_.expect(event); },
        .before_adverts = [this] { tell_wall_clock(); },
        .watch = [this](int fd, std::function<void()> callback) { events_.watch(fd, Wake::wire, std::move(callback)); },
        .unwatch = [this](int fd) { events_.unwatch(fd); },
        .enable = [this](int fd, bool on) { events_.enable(fd, on); },
        .keep = [this](std::string name,
                       Fd copy) { parts_.tell_bus(bus::KeepDescriptor{std::move(name), std::move(copy)}); },
        .forget = [this](std::string name) { parts_.tell_bus(bus::ForgetDescriptor{std::move(name)}); },
        .now = [this] { return now_; }});
    trackers_ = std::make_unique<Trackers>(
        Trackers::Helpers{.programs = parts_.options.helper_directory,
                          .sockets = parts_.options.helper_sockets,
                          .probe_rights = parts_.options.probe_rights},
        Trackers::Door{
            .deliver = [this](const engine::Event& event) { deliver(event); },
            .tell_bus = parts_.tell_bus,
            .watch = [this](int fd,
                            std::function<void()> callback) { events_.watch(fd, Wake::door, std::move(callback)); },
            .unwatch = [this](int fd) { events_.unwatch(fd); },
            .warn =
                [this](std::string text) {
                    parts_.tell_bus(engine::Note{
                        engine::Severity::warning, engine::NoteKind::missing_service, "", std::move(text), {}, {}, {}});
                },
            .missing = [this](const std::string& what, const std::string& text) { set_missing(what, text); },
            .now = [this] { return now_; }});

    checks_ = std::make_unique<Checks>(*trackers_, [this](const engine::Event& event) { deliver(event); });

    const auto warn_of_notification = [this](std::string text) {
        parts_.tell_bus(
            engine::Note{engine::Severity::warning, engine::NoteKind::script_ended, "", std::move(text), {}, {}, {}});
    };
    mailer_ = std::make_unique<Mailer>(Mailer::Door{
        .attempt = [this](const auto& make,
                          auto done) { return trackers_->once(Trackers::By::prober, make, std::move(done)); },
        .warn = warn_of_notification,
        .now = [this] { return now_; }});
    notifier_ = std::make_unique<Notifier>(
        Notifier::Door{
            .once = [this](const auto& make,
                           auto done) { return trackers_->once(Trackers::By::runner, make, std::move(done)); },
            .forget = [this](ipc::WatchId id) { trackers_->forget(id); },
            .deliver = [this](const engine::Event& event) { deliver(event); },
            .tell_bus = parts_.tell_bus,
            .warn = warn_of_notification},
        *mailer_);

    maintenance_ = std::make_unique<Maintenance>(
        parts_.options.state_directory,
        Maintenance::Door{
            .report = [this](engine::MaintenanceSet set) { from_executor_.push(engine::Event{std::move(set)}); },
            .answered =
                [tell = parts_.tell_bus](std::uint64_t command, std::string problem) {
                    tell(bus::MaintenanceAnswered{command, std::move(problem)});
                }});

    events_.watch(observer_->fd(), Wake::door, [this] { on_kernel_news(); });
    events_.watch(from_executor_.fd(), Wake::door, [this] { on_outcomes(); });
    events_.watch(parts_.from_bus->fd(), Wake::door, [this] { on_bus(); });
    events_.watch(from_loader_.fd(), Wake::door, [this] { on_loaded(); });
}

Loop::~Loop() {
    notifier_.reset();
    mailer_.reset();
    checks_.reset();
    trackers_.reset();
    wires_.reset();
    reloads_.reset();
    nft_.reset();
    ipvs_.reset();
    upstreams_.reset();
    maintenance_.reset();
    executor_.reset();
}

int Loop::run() {
    now_ = monotonic_now();
    auto& facts = change_facts();
    facts.config_path = parts_.options.config.string();
    facts.config_hash = parts_.config.hash;
    facts.started_usec = facts.config_loaded_usec = read_clock(CLOCK_REALTIME) / 1us;
    facts.missing = parts_.missing;
    stop_mark_.remove(); // of a stop that nobody cleared up after: what it left is ours now
    tell_wall_clock();
    if (parts_.record) {
        auto record = parts_.record->read();
        if (record) deliver(engine::Recovered{std::move(*record), boot_now()});
    }
    mailer_->configure(parts_.config.config->mail);
    deliver(engine::MaintenanceSet{read_maintenance(parts_.options.state_directory / maintenance_file)});
    deliver(engine::ConfigLoaded{parts_.config.config});
    list_kernel();
    if (parts_.heartbeat > Duration::zero()) next_heartbeat_ = now_;
    keep_record();
    end_turn();
    while (!end_told_ || !notified())
        if (!events_.run_once()) return 1;
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
                       if (parts_.record && action.priority != leaving_priority)
                           parts_.record->advert_sent(action.router, boot_now());
                       wires_->queue(std::move(action));
                   },
                   [&](engine::Announce& action) { wires_->announce(action); },
                   [&](engine::Listen& action) {
                       const auto names = Wires::names_of(action.link, action.family);
                       executor_->open(action.link, action.family,
                                       {parts_.kept.take(names.adverts), parts_.kept.take(names.ah)});
                   },
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
                   [&](engine::StartCheck& action) { checks_->start(std::move(action)); },
                   [&](engine::StopCheck& action) { checks_->stop(action.id); },
                   [&](engine::ProbeNow& action) { checks_->probe_now(action.id); },
                   [&](engine::ProgramIpvs& action) { ipvs().program(std::move(action)); },
                   [&](const engine::ListIpvs& list) { ipvs().list(list); },
                   [&](engine::WriteUpstreams& action) { upstreams().write(std::move(action)); },
                   [&](engine::Reply& action) { answers_.emplace_back(std::move(action)); },
                   [&](engine::Tell& action) { notes_.emplace_back(std::move(action.note)); },
                   [&](engine::RunHook& action) { notifier_->run(action); },
                   [&](engine::Finished&) {
                       finished_ = true;
                       restart_until_ = never;
                       stop_mark_.remove();
                       lines_until_ = now_ + last_lines;
                       scripts_until_ = now_ + last_scripts;
                   },
               },
               any);
}

/// While news of the kernel comes faster than it is taken, the clock never has its turn (Wake).
void Loop::serve_overdue() {
    if (engine_.next_deadline() > monotonic_now()) return;
    now_ = monotonic_now();
    wires_->read_watched();
    on_timer();
}

void Loop::end_turn() {
    end_if_told();
    perform();
    if (!finished_) serve_overdue();
    wires_->flush();
    for (auto& note : std::exchange(notes_, {}))
        parts_.tell_bus(std::move(note));
    if (engine_.record_changed()) write_record();
    if (engine_.view_changed() || facts_changed_) publish();
    for (auto& answer : std::exchange(answers_, {}))
        parts_.tell_bus(std::move(answer)); // whoever asked finds what came of it
    arm_timer();
    end_told_ = finished_;
}

void Loop::arm_timer() {
    const auto deadline = std::min({finished_ ? last_deadline() : engine_.next_deadline(), trackers_->next_deadline(),
                                    mailer_->next_deadline(), next_counters_, next_heartbeat_, wires_->next_look(),
                                    job_until_, restart_until_});
    events_.set_timer(deadline);
}

void Loop::on_timer() {
    const auto now = now_ = monotonic_now();
    tell_wall_clock();
    wires_->look_at_resting(); // the receive queues before the deadlines
    if (engine_.next_deadline() <= now) deliver(engine::Elapsed{});
    if (trackers_->next_deadline() <= now) trackers_->on_deadline();
    if (mailer_->next_deadline() <= now) mailer_->on_deadline();
    if (now >= job_until_) end(false);
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
    const auto snapshot = engine_.snapshot();
    set_missing("virtual servers", snapshot->ipvs_problem);
    facts_changed_ = false;
    parts_.tell_bus(bus::Published{snapshot, facts_});
    notifier_->take(*snapshot);
    if (!ready_told_ && engine_.kernel().listed()) {
        ready_told_ = true;
        forget_unused();
        parts_.tell_bus(bus::Ready{});
        trackers_->prepare(now_ + helpers_later);
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

} // namespace holdfast::daemon
