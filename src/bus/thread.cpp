#include "bus/thread.hpp"

#include "base/assert.hpp"
#include "base/mailbox.hpp"
#include "base/result.hpp"
#include "bus/calls.hpp"
#include "bus/connection.hpp"
#include "bus/event.hpp"
#include "bus/gate.hpp"
#include "bus/journal.hpp"
#include "bus/log_control.hpp"
#include "bus/notify.hpp"
#include "bus/objects.hpp"
#include "bus/own_job.hpp"
#include "bus/private_socket.hpp"
#include "bus/status_line.hpp"
#include "bus/unit_reloads.hpp"
#include "bus/units.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <sched.h>
#include <sys/epoll.h>
#include <thread>
#include <utility>

namespace holdfast::bus {
namespace {

constexpr int priority_mail = -10;   ///< before the bus: a flood of calls must not hold up a sign of life
constexpr Duration patience = 2s;    ///< what READY=1 waits for a slow bus
constexpr Duration order_limit = 2s; ///< what an end waits for systemd's answers
constexpr Duration close_limit = 1s; ///< and for the last signals to leave

void become_ordinary() {
    const sched_param parameters{0};
    ::sched_setscheduler(0, SCHED_OTHER, &parameters);
}

} // namespace

/// Made and used on the bus thread, but for the mailbox.
class Teller {
  public:
    Teller(Mailbox<ToBus>& mail, std::function<void(ToLoop)> tell_loop, std::filesystem::path private_socket);
    ~Teller();
    void run();

  private:
    void on_mail();
    void handle(ToBus& message);
    void show(const Published& published);
    void show_again();
    void missing(std::string what, std::string text);
    void warn(std::string text);
    void witness(bool allowed, const std::string& text);
    void run_while(const std::function<bool()>& busy, Duration limit);
    void ready_if_possible();
    void ready();

    Mailbox<ToBus>& mail_;
    std::function<void(ToLoop)> tell_loop_;
    sd_event* event_ = [] {
        sd_event* event = nullptr;
        HF_ASSERT(sd_event_new(&event) >= 0);
        return event;
    }();
    Journal journal_;
    Notify notify_;
    Shown shown_{std::make_shared<engine::Snapshot>(), std::make_shared<NodeFacts>(), false, false};
    bool has_snapshot_{false}, ready_wanted_{false}, quit_{false}, bus_missing_{false};

    Timer ready_timer_{event_, [this] { ready(); }};
    Watch mail_watch_{event_, mail_.fd(), EPOLLIN, [this] { on_mail(); }};
    Exchange exchange_{event_};
    Connection connection_{event_, exchange_, [this](std::string text) { missing("bus", std::move(text)); },
                           [this](const std::string& caller) { gate_.gone(caller); }};
    PrivateSocket private_;
    Gate gate_{connection_, private_, [this](bool allowed, const std::string& text) { witness(allowed, text); }};
    Calls calls_{tell_loop_};
    std::optional<Objects> objects_;
    std::unique_ptr<LogControlObject> log_control_;
    Units units_{event_, [this](engine::TrackerObserved observed) { tell_loop_(UnitObserved{std::move(observed)}); },
                 [this](std::string text) { warn(std::move(text)); }};
    UnitReloads unit_reloads_{event_, tell_loop_};
    OwnJob own_job_{connection_};
};

Teller::Teller(Mailbox<ToBus>& mail, std::function<void(ToLoop)> tell_loop, std::filesystem::path private_socket)
    : mail_{mail}, tell_loop_{std::move(tell_loop)},
      private_{event_, exchange_, std::move(private_socket),
               [this](std::string text) { missing("private socket", std::move(text)); }} {
    mail_watch_.set_priority(priority_mail);
    exchange_.set_guard([this](sd_bus_message* call, const std::string& caller, Exchange::Then then) {
        gate_.decide(call, caller, std::move(then));
    });
    if (auto text = journal_.missing()) missing("journal", std::move(*text));
}

Teller::~Teller() {
    sd_event_unref(event_); // the sources, which end after this, hold it too
}

void Teller::run() {
    while (!quit_)
        HF_ASSERT(sd_event_run(event_, UINT64_MAX) >= 0);
    run_while([this] { return units_.busy(); }, order_limit);
    notify_.stopping();
    calls_.stopping();
    // What is queued goes out, but a stuck bus does not keep the daemon from ending.
    run_while([this] { return !exchange_.idle() || connection_.busy(); }, close_limit);
}

void Teller::run_while(const std::function<bool()>& busy, Duration limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (busy() && std::chrono::steady_clock::now() < end)
        HF_ASSERT(sd_event_run(event_, 10'000) >= 0);
}

// ---- what the loop says
// -------------------------------------------------------------------------------------------------

/// Of several snapshots that wait only the last one counts: state edges in it are numbered, so none is lost. It is shown in
/// place of the first, so that an answer, which the loop sends behind its snapshot, is never older than what is shown.
void Teller::on_mail() {
    auto batch = mail_.take();
    const auto is_published = [](const ToBus& any) { return std::holds_alternative<Published>(any); };
    const auto last = std::find_if(batch.rbegin(), batch.rend(), is_published);
    for (bool shown = false; auto& message : batch) {
        if (!is_published(message))
            handle(message);
        else if (!std::exchange(shown, true))
            show(std::get<Published>(*last));
    }
}

void Teller::handle(ToBus& any) {
    std::visit(Overloaded{
                   [](Published&) {},
                   [&](engine::Note& note) { journal_.write(note, shown_.snapshot->node_name); },
                   [&](engine::Reply& reply) { calls_.answer(reply); },
                   [&](ReloadBegan&) {
                       notify_.reloading();
                       shown_.reloading = true;
                       show_again();
                   },
                   [&](ReloadEnded& ended) {
                       shown_.reloading = false;
                       show_again();
                       notify_.ready();
                       for (const auto& problem : ended.problems)
                           journal_.write(
                               {ended.ok ? engine::Severity::warning : engine::Severity::error,
                                ended.ok ? engine::NoteKind::config_loaded : engine::NoteKind::config_rejected,
                                {},
                                problem,
                                {},
                                {},
                                {}},
                               shown_.snapshot->node_name);
                       calls_.answer(ended);
                   },
                   [&](Ready&) {
                       ready_wanted_ = true;
                       ready_timer_.after(patience);
                       ready_if_possible();
                   },
                   [&](Heartbeat&) { notify_.heartbeat(); },
                   [&](WatchUnit& watch) { units_.watch(std::move(watch.tracker), std::move(watch.unit)); },
                   [&](UnwatchUnit& watch) { units_.unwatch(watch.tracker); },
                   [&](RestartUnit& restart) { units_.restart(restart.tracker); },
                   [&](MoveUnits& move) { units_.move(move); },
                   [&](MaintenanceAnswered& answered) { calls_.answer(answered); },
                   [&](ServerChanged& changed) { calls_.answer(changed); },
                   [&](ReloadUnit& reload) { unit_reloads_.reload(std::move(reload)); },
                   [&](KeepDescriptor& keep) { notify_.keep(keep.name, keep.fd); },
                   [&](ForgetDescriptor& forget) { notify_.forget(forget.name); },
                   [&](AskOwnJob&) { own_job_.ask([this](bool restart) { tell_loop_(OwnJobKnown{restart}); }); },
                   [&](Quit&) { quit_ = true; },
               },
               any);
}

void Teller::show(const Published& published) {
    shown_.snapshot = published.snapshot;
    shown_.facts = published.facts;
    has_snapshot_ = true;
    show_again();
}

void Teller::show_again() {
    if (!has_snapshot_) return;
    if (shown_.snapshot->stopping) notify_.stopping();
    notify_.status(status_line(shown_));
    if (objects_) return objects_->show(shown_);
    objects_.emplace(exchange_.objects(), calls_, [this](std::string text) { warn(std::move(text)); }, shown_);
    log_control_ = make_log_control(exchange_.objects(), journal_);
    connection_.serve();
}

// ---- what the loop is told
// ----------------------------------------------------------------------------------------------

void Teller::missing(std::string what, std::string text) {
    // The journal gets the first of a row of failures and its end; the status has each.
    if (what == "bus" && bus_missing_ != !text.empty()) {
        bus_missing_ = !text.empty();
        warn(bus_missing_ ? text : "on the bus again");
    }
    tell_loop_(Missing{std::move(what), std::move(text)});
    ready_if_possible();
}

/// Objects and name come first, so that whoever was ordered after us finds them; but a bus that is not there is not
/// waited for.
void Teller::ready_if_possible() {
    if (ready_wanted_ && connection_.settled()) ready();
}

void Teller::ready() {
    ready_timer_.stop();
    ready_wanted_ = false;
    shown_.ready = true;
    show_again();
    notify_.ready();
}

void Teller::witness(bool allowed, const std::string& text) {
    journal_.write({allowed ? engine::Severity::info : engine::Severity::debug,
                    engine::NoteKind::command,
                    {},
                    (allowed ? "let in: " : "refused: ") + text,
                    {},
                    {},
                    {}},
                   shown_.snapshot->node_name);
}

void Teller::warn(std::string text) {
    journal_.write({engine::Severity::warning, engine::NoteKind::missing_service, {}, std::move(text), {}, {}, {}},
                   shown_.snapshot->node_name);
}

// ---- the door
// -----------------------------------------------------------------------------------------------------------

struct Thread::Impl {
    Mailbox<ToBus> mail;
    std::thread thread;
};

Thread::Thread(std::function<void(ToLoop)> tell_loop, std::filesystem::path private_socket)
    : impl_{std::make_unique<Impl>()} {
    impl_->thread = std::thread{[this, tell_loop = std::move(tell_loop), path = std::move(private_socket)]() mutable {
        pthread_setname_np(pthread_self(), "bus");
        become_ordinary();
        Teller{impl_->mail, std::move(tell_loop), std::move(path)}.run();
    }};
}

Thread::~Thread() {
    post(Quit{});
    impl_->thread.join();
}

void Thread::post(ToBus message) {
    impl_->mail.push(std::move(message));
}

Duration Thread::heartbeat_interval() {
    return Notify::heartbeat_interval();
}

} // namespace holdfast::bus
