#include "bus/objects.hpp"

#include "bus/clock.hpp"
#include "bus/describe.hpp"
#include "bus/names.hpp"
#include "bus/properties.hpp"
#include "bus/sdbus_compat.hpp"
#include "bus/utf8.hpp"
#include "instance_adaptor.hpp"
#include "manager_adaptor.hpp"
#include "syncgroup_adaptor.hpp"
#include "tracker_adaptor.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <type_traits>
#include <utility>

namespace holdfast::bus {
namespace {

using Strings = std::vector<std::string>;
using Options = std::map<std::string, sdbus::Variant>;
using sdbus::ObjectPath;
using sdbus::Struct;

ObjectPath object(std::string path) {
    return ObjectPath{std::move(path)};
}

/// {hold-usec t}; what is not known is refused, so that a typing slip does not pass for "no end".
std::optional<Duration> hold_of(const Options& options) {
    std::optional<Duration> hold;
    for (const auto& [key, value] : options) {
        if (key != "hold-usec" || !value.containsValueOfType<std::uint64_t>())
            throw compat::error(error_invalid_args,
                                fmt::format("option '{}' is not known here: there is 'hold-usec' (type t)", key));
        constexpr std::uint64_t century = 100ULL * 365 * 86400 * 1'000'000; // more would overflow nanoseconds
        hold = std::chrono::microseconds{std::min(value.get<std::uint64_t>(), century)};
    }
    return hold;
}

/// sdbus::Result moves only; an Answer is copied. A caller who has gone misses nothing: that is no error of ours, and a
/// connection that has ended is noticed where it is read.
template <typename Value>
Calls::Answer answer_with(sdbus::Result<Value>&& result, Value (*value_of)(const Outcome&)) {
    auto held = std::make_shared<sdbus::Result<Value>>(std::move(result));
    return [held, value_of](const Outcome& outcome) {
        try {
            if (outcome.error.empty())
                held->returnResults(value_of(outcome));
            else
                held->returnError(compat::error(outcome.error, utf8(outcome.text)));
        } catch (const sdbus::Error&) {
            return;
        }
    };
}

} // namespace

// ---- org.holdfast1.Manager
// ----------------------------------------------------------------------------------------------

class Objects::Manager final
    : public sdbus::AdaptorInterfaces<org::holdfast1::Manager_adaptor, sdbus::ObjectManager_adaptor> {
  public:
    Manager(sdbus::IConnection& connection, const Shown& shown, Calls& calls)
        : AdaptorInterfaces{connection, compat::path(root_path)}, shown_{shown}, calls_{calls} {
        registerAdaptor();
    }
    ~Manager() { unregisterAdaptor(); }

    void signal(const Strings& names) { compat::emit_changed(getObject(), INTERFACE, names); }

  private:
    static constexpr const char* INTERFACE = org::holdfast1::Manager_adaptor::INTERFACE_NAME;
    const engine::Snapshot& snapshot() { return *shown_.snapshot; }
    const NodeFacts& facts() { return *shown_.facts; }

    std::vector<Struct<std::string, std::string, std::string, std::uint8_t, std::uint8_t, ObjectPath>>
    ListInstances() override {
        decltype(ListInstances()) result;
        for (const auto& view : snapshot().instances)
            result.emplace_back(view->model->name, view->state, view->model->interface, view->model->vrid.value,
                                view->priority.value, object(instance_path(view->model->name)));
        return result;
    }
    ObjectPath GetInstance(const std::string& name) override {
        if (find_instance(snapshot(), name)) return object(instance_path(name));
        throw compat::error(error_no_such_instance, fmt::format("there is no instance '{}'", name));
    }
    void Reload(sdbus::Result<Strings>&& result, Options options) override {
        if (!options.empty()) throw compat::error(error_invalid_args, "Reload knows no options");
        calls_.reload(compat::sender(getObject()), answer_with<Strings>(std::move(result), [](const Outcome& outcome) {
                          return utf8(outcome.lines);
                      }));
    }
    void Failover(sdbus::Result<std::string>&& result, std::string name, Options options) override {
        const auto hold = hold_of(options);
        calls_.failover(
            compat::sender(getObject()), {std::move(name), hold},
            answer_with<std::string>(std::move(result), [](const Outcome& outcome) { return utf8(outcome.text); }));
    }
    std::string Describe() override { return describe(shown_); }

    std::string Version() override { return HOLDFAST_VERSION; }
    std::string NodeName() override { return utf8(snapshot().node_name); }
    std::string State() override { return std::string{node_state(shown_)}; }
    std::string ConfigPath() override { return utf8(facts().config_path); }
    std::string ConfigHash() override { return facts().config_hash; }
    std::uint64_t ConfigLoadedTimestamp() override { return static_cast<std::uint64_t>(facts().config_loaded_usec); }
    std::string LastReloadResult() override { return facts().last_reload_result; }
    Strings LastReloadErrors() override { return utf8(facts().last_reload_errors); }
    Strings Missing() override { return utf8(facts().missing); }
    std::uint32_t NInstances() override { return count(snapshot()).instances; }
    std::uint32_t NMaster() override { return count(snapshot()).masters; }
    std::uint32_t NFault() override { return count(snapshot()).faults; }

    const Shown& shown_;
    Calls& calls_;
};

// ---- org.holdfast1.Instance
// ---------------------------------------------------------------------------------------------

class Objects::Instance final : public sdbus::AdaptorInterfaces<org::holdfast1::Instance_adaptor> {
  public:
    Instance(sdbus::IConnection& connection, std::shared_ptr<const engine::InstanceView> shown, Calls& calls)
        : AdaptorInterfaces{connection, compat::path(instance_path(shown->model->name))}, view{std::move(shown)},
          calls_{calls} {
        registerAdaptor();
    }
    ~Instance() { unregisterAdaptor(); }

    void signal(const Strings& names) { compat::emit_changed(getObject(), INTERFACE_NAME, names); }
    void signal_added() { getObject().emitInterfacesAddedSignal(); }
    void signal_removed() { compat::emit_removed(getObject(), INTERFACE_NAME); }

    std::shared_ptr<const engine::InstanceView> view; ///< of the snapshot that is shown

  private:
    const model::Instance& model() { return *view->model; }

    void Failover(sdbus::Result<std::string>&& result, Options options) override {
        const auto hold = hold_of(options);
        calls_.failover(
            compat::sender(getObject()), {model().name, hold},
            answer_with<std::string>(std::move(result), [](const Outcome& outcome) { return utf8(outcome.text); }));
    }
    std::string Describe() override { return describe(*view); }

    std::string Name() override { return model().name; }
    std::string Interface() override { return model().interface; }
    std::uint8_t VirtualRouterId() override { return model().vrid.value; }
    std::string Family() override { return std::string{family_name(model().family)}; }
    std::uint8_t Version() override { return std::to_underlying(model().version); }
    std::string State() override { return view->state; }
    Struct<std::string, std::string> StateReason() override { return {view->reason_code, utf8(view->reason)}; }
    std::uint64_t StateTimestamp() override { return realtime_usec(view->since); }
    std::uint64_t StateTimestampMonotonic() override { return monotonic_usec(view->since); }
    std::uint8_t BasePriority() override { return model().priority.value; }
    std::uint8_t EffectivePriority() override { return view->priority.value; }
    std::vector<Struct<std::string, std::int32_t>> PriorityContributions() override {
        decltype(PriorityContributions()) result;
        for (const auto& each : view->contributions)
            result.emplace_back(each.tracker, each.weight);
        return result;
    }
    std::vector<Struct<std::string, std::string>> Faults() override {
        decltype(Faults()) result;
        for (const auto& fault : view->faults)
            result.emplace_back(fault.code, utf8(fault.text));
        return result;
    }
    std::vector<Struct<std::string, std::string>> Warnings() override {
        decltype(Warnings()) result;
        for (const auto& each : view->warnings)
            result.emplace_back(each.code, utf8(each.text));
        return result;
    }
    std::vector<Struct<std::string, std::string, std::string>> Addresses() override {
        decltype(Addresses()) result;
        for (const auto& each : view->addresses)
            result.emplace_back(to_string(each.prefix), each.link, std::string{each.state});
        return result;
    }
    Struct<std::uint32_t, std::uint32_t> ExcludedAddresses() override {
        return {static_cast<std::uint32_t>(view->excluded.wanted), static_cast<std::uint32_t>(view->excluded.assigned)};
    }
    Struct<std::string, std::uint8_t, std::uint64_t> ActiveRouter() override {
        const auto router = active_router(*view);
        return {router.address, router.priority.value, realtime_usec(router.last_seen)};
    }
    std::vector<Options> ObservedPeers() override {
        std::vector<Options> result;
        for (const auto& peer : view->peers)
            result.push_back({{"Address", sdbus::Variant{to_string(peer.address)}},
                              {"Priority", sdbus::Variant{peer.priority.value}},
                              {"Version", sdbus::Variant{peer.version}},
                              {"AdvertIntervalUSec", sdbus::Variant{usec(peer.interval)}},
                              {"LastSeenUSec", sdbus::Variant{realtime_usec(peer.last_seen)}}});
        return result;
    }
    std::uint64_t AdvertIntervalUSec() override { return usec(model().advert_interval); }
    std::uint64_t MasterDownIntervalUSec() override { return usec(view->master_down); }
    bool Preempt() override { return model().preempt; }
    std::uint64_t PreemptDelayUSec() override { return usec(model().preempt_delay); }
    bool Prompt() override { return model().prompt; }
    bool HeldBack() override { return view->held_back; }
    std::uint64_t LeaseUSec() override { return usec(view->lease); }
    std::string LeaseNote() override { return utf8(view->lease_note); }
    Struct<std::string, bool, std::string, std::uint64_t, std::uint64_t> LastScript() override {
        const auto script = view->script.value_or(engine::ScriptView{});
        return {script.what, script.ok, utf8(script.detail), usec(script.took),
                script.what.empty() ? 0 : realtime_usec(script.at)};
    }
    std::vector<ObjectPath> Trackers() override {
        std::vector<ObjectPath> result;
        for (const auto& use : model().track)
            result.push_back(object(tracker_path(use.tracker)));
        return result;
    }
    std::string SyncGroup() override { return view->group; }
    std::map<std::string, std::uint64_t> Counters() override {
        const auto list = counters(view->counters);
        return {list.begin(), list.end()};
    }

    Calls& calls_;
};

// ---- org.holdfast1.SyncGroup
// --------------------------------------------------------------------------------------------

class Objects::SyncGroup final : public sdbus::AdaptorInterfaces<org::holdfast1::SyncGroup_adaptor> {
  public:
    SyncGroup(sdbus::IConnection& connection, std::shared_ptr<const engine::GroupView> shown, Calls& calls)
        : AdaptorInterfaces{connection, compat::path(group_path(shown->model->name))}, view{std::move(shown)},
          calls_{calls} {
        registerAdaptor();
    }
    ~SyncGroup() { unregisterAdaptor(); }

    void signal(const Strings& names) { compat::emit_changed(getObject(), INTERFACE_NAME, names); }
    void signal_added() { getObject().emitInterfacesAddedSignal(); }
    void signal_removed() { compat::emit_removed(getObject(), INTERFACE_NAME); }

    std::shared_ptr<const engine::GroupView> view;

  private:
    void Failover(sdbus::Result<std::string>&& result, Options options) override {
        calls_.failover(
            compat::sender(getObject()), {view->model->name, hold_of(options)},
            answer_with<std::string>(std::move(result), [](const Outcome& outcome) { return utf8(outcome.text); }));
    }
    std::string Describe() override { return describe(*view); }

    std::string Name() override { return view->model->name; }
    std::vector<ObjectPath> Members() override {
        std::vector<ObjectPath> result;
        for (const auto& name : view->model->instances)
            result.push_back(object(instance_path(name)));
        return result;
    }
    std::string State() override { return std::string{view->state}; }
    Struct<std::string, std::string> StateReason() override { return {view->reason_code, utf8(view->reason)}; }
    std::uint64_t StateTimestamp() override { return realtime_usec(view->since); }
    std::uint8_t EffectivePriority() override { return view->priority.value; }
    std::vector<ObjectPath> Trackers() override {
        std::vector<ObjectPath> result;
        for (const auto& use : view->model->track)
            result.push_back(object(tracker_path(use.tracker)));
        return result;
    }

    Calls& calls_;
};

// ---- org.holdfast1.Tracker
// ----------------------------------------------------------------------------------------------

class Objects::Tracker final : public sdbus::AdaptorInterfaces<org::holdfast1::Tracker_adaptor> {
  public:
    Tracker(sdbus::IConnection& connection, std::shared_ptr<const engine::TrackerView> shown, Calls&)
        : AdaptorInterfaces{connection, compat::path(tracker_path(shown->model->name))}, view{std::move(shown)} {
        registerAdaptor();
    }
    ~Tracker() { unregisterAdaptor(); }

    void signal(const Strings& names) { compat::emit_changed(getObject(), INTERFACE_NAME, names); }
    void signal_added() { getObject().emitInterfacesAddedSignal(); }
    void signal_removed() { compat::emit_removed(getObject(), INTERFACE_NAME); }

    std::shared_ptr<const engine::TrackerView> view;

  private:
    std::string Name() override { return view->model->name; }
    std::string Kind() override { return std::string{model::kind_name(view->model->kind)}; }
    std::string Target() override { return model::target(view->model->kind); }
    std::string Status() override { return std::string{engine::name(view->verdict)}; }
    bool Degraded() override { return view->degraded; }
    std::string Detail() override { return utf8(view->detail); }
    std::uint64_t SkippedRuns() override { return view->skipped; }
    std::uint64_t SinceUSec() override { return realtime_usec(view->since); }
    std::vector<ObjectPath> Users() override {
        std::vector<ObjectPath> result;
        for (const auto& user : view->users)
            result.push_back(object(instance_path(user)));
        return result;
    }
};

// ---- in line with the snapshot
// ------------------------------------------------------------------------------------------

Objects::Objects(sdbus::IConnection& connection, Calls& calls, std::function<void(std::string)> warn,
                 const Shown& shown)
    : connection_{connection}, calls_{calls}, warn_{std::move(warn)}, shown_{shown} {
    const auto& transitions = shown_.snapshot->transitions;
    if (transitions && !transitions->empty()) last_transition_ = transitions->back()->number;
    manager_ = std::make_unique<Manager>(connection_, shown_, calls_);
    add_missing(false);
}

Objects::~Objects() = default;

void Objects::show(const Shown& next) {
    const auto before = std::exchange(shown_, next);
    remove_gone();
    add_missing(true);
    signal_changes(before);
    signal_transitions();
}

namespace {

template <typename Object, typename View>
void add_each(std::map<std::string, std::unique_ptr<Object>>& objects,
              const std::vector<std::shared_ptr<const View>>& views, bool signal, const auto& make) {
    for (const auto& view : views) {
        auto& object = objects[view->model->name];
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
    std::vector<std::pair<Object*, Strings>> changes;
    for (const auto& view : views) {
        auto& object = *objects.at(view->model->name);
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
    const auto make = [this]<typename Object>(std::type_identity<Object>) {
        return [this](const auto& view) { return std::make_unique<Object>(connection_, view, calls_); };
    };
    add_each(instances_, shown_.snapshot->instances, signal, make(std::type_identity<Instance>{}));
    add_each(groups_, shown_.snapshot->groups, signal, make(std::type_identity<SyncGroup>{}));
    add_each(trackers_, shown_.snapshot->trackers, signal, make(std::type_identity<Tracker>{}));
}

void Objects::remove_gone() {
    remove_each(instances_, [this](const auto& name) { return find_instance(*shown_.snapshot, name); });
    remove_each(groups_, [this](const auto& name) { return find_group(*shown_.snapshot, name); });
    remove_each(trackers_, [this](const auto& name) { return find_tracker(*shown_.snapshot, name); });
}

void Objects::signal_changes(const Shown& before) {
    update_each(instances_, shown_.snapshot->instances);
    update_each(groups_, shown_.snapshot->groups);
    update_each(trackers_, shown_.snapshot->trackers);
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
        if (edge.kind != engine::TransitionKind::state) continue;
        const auto emit = [&](auto& objects) {
            if (const auto at = objects.find(edge.instance); at != objects.end())
                at->second->emitStateChanged(edge.from, edge.to, edge.reason_code, realtime_usec(edge.at));
        };
        if (edge.is_group)
            emit(groups_);
        else
            emit(instances_);
    }
}

} // namespace holdfast::bus
