#include "bus/objects.hpp"

#include "bus/properties.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace holdfast::bus {

Objects::Objects(sdbus::IConnection& connection, Calls& calls, std::function<void(std::string)> warn,
                 const Shown& shown)
    : connection_{connection}, calls_{calls}, warn_{std::move(warn)}, shown_{shown} {
    const auto& transitions = shown_.snapshot->transitions;
    if (transitions && !transitions->empty()) last_transition_ = transitions->back()->number;
    manager_ = make_manager(connection_, shown_, calls_);
    add_missing(false);
}

Objects::~Objects() = default;

void Objects::show(const Shown& next) {
    const auto before = std::exchange(shown_, next);
    servers_changed_ = before.snapshot->virtual_servers != shown_.snapshot->virtual_servers;
    remove_gone();
    add_missing(true);
    signal_changes(before);
    signal_transitions();
}

namespace {

template <typename View>
std::string key_of(const View& view) {
    if constexpr (requires { view.server; })
        return view.server->name + "/" + view.model->name;
    else
        return view.model->name;
}

/// Of all virtual servers, in one list.
std::vector<std::shared_ptr<const engine::RealServerView>> real_servers(const engine::Snapshot& snapshot) {
    std::vector<std::shared_ptr<const engine::RealServerView>> result;
    for (const auto& server : snapshot.virtual_servers)
        result.insert(result.end(), server->reals.begin(), server->reals.end());
    return result;
}

template <typename Object, typename View>
void add_each(std::map<std::string, std::unique_ptr<Object>>& objects,
              const std::vector<std::shared_ptr<const View>>& views, bool signal, const auto& make) {
    for (const auto& view : views) {
        auto& object = objects[key_of(*view)];
        if (object) continue;
        object = make(view);
        if (signal) object->signal_added();
    }
}

/// Objects that are gone, or that are another one under the same name now.
template <typename Object>
void remove_each(std::map<std::string, std::unique_ptr<Object>>& objects, const auto& find_view) {
    std::erase_if(objects, [&](const auto& entry) {
        const auto view = find_view(entry.first);
        if (view && same_object(*entry.second->view, *view)) return false;
        entry.second->signal_removed();
        return true;
    });
}

template <typename Object, typename View>
void update_each(std::map<std::string, std::unique_ptr<Object>>& objects,
                 const std::vector<std::shared_ptr<const View>>& views) {
    std::vector<std::pair<Object*, std::vector<std::string>>> changes;
    for (const auto& view : views) {
        auto& object = *objects.at(key_of(*view));
        if (object.view == view) continue;
        auto names = changed_properties(*object.view, *view);
        object.view = view;
        if (!names.empty()) changes.emplace_back(&object, std::move(names));
    }
    // All values first, so that whoever reads another object because of a signal sees the same snapshot.
    for (const auto& [object, names] : changes)
        object->signal(names);
}

} // namespace

void Objects::add_missing(bool signal) {
    const auto make = [this](const auto& view) { return make_object(connection_, view, calls_); };
    add_each(instances_, shown_.snapshot->instances, signal, make);
    add_each(groups_, shown_.snapshot->groups, signal, make);
    add_each(trackers_, shown_.snapshot->trackers, signal, make);
    if (servers_changed_) add_missing_servers(signal);
}

void Objects::add_missing_servers(bool signal) {
    add_each(servers_, shown_.snapshot->virtual_servers, signal,
             [this](const auto& view) { return make_server(connection_, view, shown_, calls_); });
    add_each(reals_, real_servers(*shown_.snapshot), signal,
             [this](const auto& view) { return make_server(connection_, view, shown_, calls_); });
}

void Objects::remove_gone() {
    remove_each(instances_, [this](const auto& name) { return find_instance(*shown_.snapshot, name); });
    remove_each(groups_, [this](const auto& name) { return find_group(*shown_.snapshot, name); });
    remove_each(trackers_, [this](const auto& name) { return find_tracker(*shown_.snapshot, name); });
    if (servers_changed_) remove_gone_servers();
}

void Objects::remove_gone_servers() {
    std::map<std::string, std::shared_ptr<const engine::RealServerView>> reals;
    for (auto& view : real_servers(*shown_.snapshot))
        reals.emplace(key_of(*view), view);
    remove_each(reals_, [&](const auto& name) {
        const auto at = reals.find(name);
        return at == reals.end() ? nullptr : at->second;
    });
    remove_each(servers_, [this](const auto& name) { return find_server(*shown_.snapshot, name); });
}

void Objects::signal_changes(const Shown& before) {
    update_each(instances_, shown_.snapshot->instances);
    update_each(groups_, shown_.snapshot->groups);
    update_each(trackers_, shown_.snapshot->trackers);
    if (servers_changed_) {
        update_each(servers_, shown_.snapshot->virtual_servers);
        update_each(reals_, real_servers(*shown_.snapshot));
    }
    if (const auto names = changed_properties(before, shown_); !names.empty()) manager_->signal(names);
}

void Objects::signal_transitions() {
    if (!shown_.snapshot->transitions) return;
    const auto& list = *shown_.snapshot->transitions;
    auto next = std::ranges::upper_bound(list, last_transition_, {}, [](const auto& each) { return each->number; });
    if (next == list.end()) return;
    if (const auto dropped = (*next)->number - last_transition_ - 1; dropped > 0)
        warn_(fmt::format("dropped {}: more state changes than the bus thread could signal", dropped));
    for (; next != list.end(); ++next) {
        const auto& edge = **next;
        last_transition_ = edge.number;
        if (edge.kind != engine::TransitionKind::state && !edge.is_server()) continue;
        const auto emit = [&](auto& objects) {
            if (const auto at = objects.find(edge.instance); at != objects.end()) at->second->signal_edge(edge);
        };
        if (edge.is_server()) {
            emit(servers_);
            emit(reals_);
        } else if (edge.is_group())
            emit(groups_);
        else
            emit(instances_);
    }
}

} // namespace holdfast::bus
