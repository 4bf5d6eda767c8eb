#include "daemon/notifier.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace holdfast::daemon {
namespace {

using engine::Transition;
using engine::TransitionKind;

/// keepalived's word; empty: nobody is told.
std::string state_word(const Transition& edge) {
    if (edge.is_server())
        return edge.to == "up" ? "UP" : edge.to == "down" ? "DOWN" : edge.to == "quorum" ? "QUORUM" : "NO_QUORUM";
    if (edge.kind == TransitionKind::lower_advert) return "MASTER_RX_LOWER_PRI";
    if (edge.kind == TransitionKind::priority) return edge.to == "master" ? "MASTER_PRIORITY" : "BACKUP_PRIORITY";
    if (edge.to == "master") return "MASTER";
    if (edge.to == "backup") return "BACKUP";
    if (edge.to == "fault") return "FAULT";
    return edge.deleted ? "DELETED" : "STOP";
}

std::pair<std::string, const model::Words*> script_of(const Transition& edge) {
    if (edge.is_server()) return {edge.to, &edge.program};
    const auto& notify = edge.notify();
    if (edge.kind == TransitionKind::lower_advert) return {"lower_advert", &notify.lower_advert};
    if (edge.kind == TransitionKind::priority) return {"priority", &notify.priority};
    if (edge.to == "master") return {"master", &notify.master};
    if (edge.to == "backup") return {"backup", &notify.backup};
    if (edge.to == "fault") return {"fault", &notify.fault};
    if (edge.deleted) return {"deleted", &notify.deleted};
    return {"stop", &notify.stop};
}

/// Whom a script runs as, and how long it may take.
std::pair<std::string, Duration> running(const Transition& edge) {
    if (edge.is_server()) return {edge.told.user, edge.told.timeout};
    return {edge.notify().user, edge.notify().timeout};
}

const std::string& fifo_of(const Transition& edge) {
    return edge.is_server() ? edge.told.fifo : edge.notify().fifo;
}

std::string_view type_word(const Transition& edge) {
    if (edge.is_server()) return edge.is_real_server() ? "REAL_SERVER" : "VIRTUAL_SERVER";
    return edge.is_group() ? "GROUP" : "INSTANCE";
}

/// As many as fit into one word.
template <typename Items>
std::string in_one_word(const Items& items, auto text_of) {
    std::string result;
    for (const auto& item : items)
        if (const auto text = text_of(item); result.size() + text.size() < ipc::max_word - 64)
            result += (result.empty() ? "" : " ") + text;
    return result;
}

model::Words environment(std::string_view type, const std::string& name, const std::string& node,
                         const std::string& state, Priority priority) {
    return {fmt::format("HOLDFAST_TYPE={}", type), "HOLDFAST_NAME=" + name, "HOLDFAST_NODE=" + node,
            "HOLDFAST_STATE=" + state, fmt::format("HOLDFAST_PRIORITY={}", priority.value)};
}

model::Words environment(const model::Instance& model, const std::string& node, const std::string& state,
                         Priority priority) {
    auto result = environment("INSTANCE", model.name, node, state, priority);
    result.insert(
        result.end(),
        {"HOLDFAST_INTERFACE=" + model.interface, fmt::format("HOLDFAST_VRID={}", model.vrid.value),
         fmt::format("HOLDFAST_FAMILY={}", to_string(model.family)),
         "HOLDFAST_ADDRESSES=" + in_one_word(model.addresses, [](const Prefix& prefix) { return to_string(prefix); })});
    return result;
}

model::Words environment(const Transition& edge, const std::string& node) {
    if (edge.is_server())
        return {fmt::format("HOLDFAST_TYPE={}", type_word(edge)),
                "HOLDFAST_NAME=" + edge.instance,
                "HOLDFAST_NODE=" + node,
                "HOLDFAST_STATE=" + state_word(edge),
                "HOLDFAST_PREVIOUS=" + edge.from,
                "HOLDFAST_REASON=" + edge.reason};
    auto result = edge.group ? environment("GROUP", edge.instance, node, state_word(edge), edge.priority)
                             : environment(*edge.model, node, state_word(edge), edge.priority);
    if (edge.group)
        result.push_back("HOLDFAST_INSTANCES=" +
                         in_one_word(edge.group->instances, [](const std::string& name) { return name; }));
    result.push_back("HOLDFAST_PREVIOUS=" + edge.from);
    result.push_back("HOLDFAST_REASON=" + edge.reason_code);
    return result;
}

} // namespace

void Notifier::take(const engine::Snapshot& snapshot) {
    if (!snapshot.transitions) return;
    node_ = snapshot.node_name;
    const auto& list = *snapshot.transitions;
    auto next = std::ranges::upper_bound(list, last_, {}, [](const auto& each) { return each->number; });
    if (next == list.end()) return;
    if (const auto lost = (*next)->number - last_ - 1; lost > 0)
        door_.warn(fmt::format("{} transitions came faster than they could be told to scripts", lost));
    for (; next != list.end(); ++next) {
        last_ = (*next)->number;
        notify(*next);
    }
}

void Notifier::notify(const Edge& edge) {
    if (edge->is_server()) {
        if (edge->told.mail) mailer_.tell(*edge, node_);
        if (!edge->told.fifo.empty()) write_line(edge);
        if (!edge->program.empty()) queue(edge);
        return;
    }
    const auto& wanted = edge->notify();
    if (wanted == model::Notify{}) return;
    if (edge->to == "init" && !edge->ended) return; // on its way from a fault to backup
    if (edge->kind == TransitionKind::state) move_units(*edge);
    if (wanted.mail && edge->kind == TransitionKind::state) mailer_.tell(*edge, node_);
    if (!wanted.fifo.empty()) write_line(edge);
    if (!wanted.all.empty() || !script_of(*edge).second->empty()) queue(edge);
}

// ---- scripts --------------------------------------------------------------------------------------------------------------

void Notifier::queue(const Edge& edge) {
    const auto at = objects_.find(edge->instance);
    if (at == objects_.end()) return begin(edge->instance, edge);
    auto& waiting = edge->kind == TransitionKind::state ? at->second.waiting_state : at->second.waiting_other;
    if (waiting && edge->kind == TransitionKind::state)
        door_.warn(fmt::format("{}: {} is not told to scripts: {} came while the script of {} still ran",
                               edge->instance, state_word(*waiting), state_word(*edge), state_word(*at->second.edge)));
    waiting = edge;
}

void Notifier::begin(const std::string& name, Edge edge) {
    auto& object = objects_[name];
    const auto [what, argv] = script_of(*edge);
    if (!argv->empty()) object.steps.push_back({what, *argv});
    if (!edge->is_server() && !edge->notify().all.empty()) {
        auto all = edge->notify().all;
        all.insert(all.end(), {std::string{type_word(*edge)}, edge->instance, state_word(*edge),
                               std::to_string(edge->priority.value)});
        object.steps.push_back({"all", std::move(all)});
    }
    object.edge = std::move(edge);
    next_step(name);
}

void Notifier::next_step(const std::string& name) {
    auto& object = objects_.at(name);
    if (object.steps.empty()) {
        // What waits, the older first.
        auto* next = !object.waiting_other ? &object.waiting_state : &object.waiting_other;
        if (object.waiting_state && object.waiting_other && object.waiting_state->number < object.waiting_other->number)
            next = &object.waiting_state;
        const Edge edge = std::exchange(*next, nullptr);
        if (edge) return begin(name, edge);
        objects_.erase(name);
        return;
    }
    const auto step = std::move(object.steps.front());
    object.steps.pop_front();
    const auto& edge = *object.edge;
    const auto [user, timeout] = running(edge);
    auto variables = environment(edge, node_);
    door_.once([&](ipc::WatchId id) { return ipc::RunScript{id, step.argv, user, timeout, std::move(variables)}; },
               [this, name, what = step.what](const ipc::Ended& ended) {
                   door_.deliver(engine::ScriptEnded{name, what, ended.ok, ended.detail, ended.took});
                   next_step(name);
               });
}

void Notifier::run(const engine::RunHook& hook) {
    const auto& wanted = hook.model->notify;
    const bool removal = hook.what == "before_removal";
    ++hooks_;
    door_.once(
        [&](ipc::WatchId id) {
            return ipc::RunScript{id, removal ? wanted.before_removal : wanted.after_adding, wanted.user,
                                  removal ? wanted.hook_timeout : wanted.timeout,
                                  environment(*hook.model, node_, removal ? "LEAVING" : "MASTER", hook.priority)};
        },
        [this, name = hook.model->name, what = hook.what, number = hook.hook](const ipc::Ended& ended) {
            --hooks_;
            door_.deliver(engine::ScriptEnded{name, what, ended.ok, ended.detail, ended.took, number});
        });
}

// ---- the FIFO, and units --------------------------------------------------------------------------------------------------

void Notifier::write_line(const Edge& edge) {
    const auto& path = fifo_of(*edge);
    auto& waiting = lines_[path];
    if (waiting.size() >= lines_kept) {
        door_.forget(waiting.front());
        waiting.pop_front();
        door_.warn(fmt::format("{}: a line is lost, because nobody reads and {} wait already", path, lines_kept));
    }
    const auto id = door_.once(
        [&](ipc::WatchId number) {
            return ipc::WriteLine{number, path,
                                  fmt::format("{} \"{}\" {} {}\n", type_word(*edge), edge->instance, state_word(*edge),
                                              edge->model ? edge->priority.value : 0)};
        },
        [this, path](const ipc::Ended& ended) {
            auto& left = lines_[path];
            std::erase(left, ended.id);
            if (left.empty()) lines_.erase(path);
            if (!ended.ok) door_.warn(fmt::format("a line for a FIFO is lost: {}", ended.detail));
        });
    lines_[path].push_back(id);
}

/// The units of the state that was entered run, those of the others do not.
void Notifier::move_units(const Transition& edge) {
    const auto& wanted = edge.notify();
    bus::MoveUnits move{.object = edge.instance, .start = {}, .stop = {}};
    for (const auto& [state, units] :
         {std::pair{"master", &wanted.master_units}, std::pair{"backup", &wanted.backup_units}})
        for (const auto& unit : *units)
            (edge.to == state ? move.start : move.stop).push_back(unit);
    std::erase_if(move.stop, [&](const auto& unit) { return std::ranges::find(move.start, unit) != move.start.end(); });
    if (!move.start.empty() || !move.stop.empty()) door_.tell_bus(std::move(move));
}

} // namespace holdfast::daemon
