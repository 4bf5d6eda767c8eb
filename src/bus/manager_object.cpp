// org.holdfast1.Manager, and the ObjectManager of all.
#include "bus/clock.hpp"
#include "bus/describe.hpp"
#include "bus/exported.hpp"
#include "bus/names.hpp"
#include "bus/properties.hpp"
#include "manager_adaptor.hpp"

#include <fmt/format.h>

namespace holdfast::bus {
namespace {

class Manager final : public sdbus::AdaptorInterfaces<org::holdfast1::Manager_adaptor, sdbus::ObjectManager_adaptor>,
                      public ManagerObject {
  public:
    Manager(sdbus::IConnection& connection, const Shown& shown, Calls& calls)
        : AdaptorInterfaces{connection, compat::path(root_path)}, shown_{shown}, calls_{calls} {
        registerAdaptor();
    }
    ~Manager() override { unregisterAdaptor(); }

    void signal(const Strings& names) override { compat::emit_changed(getObject(), INTERFACE, names); }

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
        calls_.reload(
            answer_with<Strings>(std::move(result), [](const Outcome& outcome) { return utf8(outcome.lines); }));
    }
    void Failover(sdbus::Result<std::string>&& result, std::string name, Options options) override {
        const auto hold = span_of(options, hold_option);
        calls_.instance({std::move(name), engine::Failover{hold}}, answer_with_text(std::move(result)));
    }
    void Takeover(sdbus::Result<std::string>&& result, std::string name, Options options) override {
        calls_.instance({std::move(name), takeover_of(options)}, answer_with_text(std::move(result)));
    }
    void SetPriority(sdbus::Result<std::string>&& result, std::string name, std::uint8_t priority) override {
        calls_.instance({std::move(name), priority_of(priority)}, answer_with_text(std::move(result)));
    }
    void Announce(sdbus::Result<std::string>&& result, std::string name) override {
        calls_.instance({std::move(name), engine::AnnounceNow{}}, answer_with_text(std::move(result)));
    }
    void SetMaintenance(sdbus::Result<std::string>&& result, bool on, std::string reason) override {
        calls_.maintenance(on ? std::optional{std::move(reason)} : std::nullopt, answer_with_text(std::move(result)));
    }
    std::string Describe() override { return describe(shown_); }

    std::string Version() override { return HOLDFAST_VERSION; }
    std::string NodeName() override { return utf8(snapshot().node_name); }
    std::string State() override { return std::string{node_state(shown_)}; }
    std::string ConfigPath() override { return utf8(facts().config_path); }
    std::string ConfigHash() override { return facts().config_hash; }
    std::uint64_t StartedTimestamp() override { return static_cast<std::uint64_t>(facts().started_usec); }
    std::uint64_t ConfigLoadedTimestamp() override { return static_cast<std::uint64_t>(facts().config_loaded_usec); }
    std::string LastReloadResult() override { return facts().last_reload_result; }
    Strings LastReloadErrors() override { return utf8(facts().last_reload_errors); }
    Strings Missing() override { return utf8(facts().missing); }
    std::vector<Struct<std::string, std::string, std::string>> StaticAddresses() override {
        return addresses(*shown_.snapshot->static_addresses);
    }
    std::vector<Struct<std::string, bool>> StaticRoutes() override { return extras(shown_.snapshot->static_routes); }
    std::vector<Struct<std::string, bool>> StaticRules() override { return extras(shown_.snapshot->static_rules); }
    bool Maintenance() override { return snapshot().maintenance.has_value(); }
    std::string MaintenanceReason() override { return utf8(snapshot().maintenance.value_or("")); }
    std::uint32_t NInstances() override { return count(snapshot()).instances; }
    std::uint32_t NMaster() override { return count(snapshot()).masters; }
    std::uint32_t NFault() override { return count(snapshot()).faults; }

    const Shown& shown_;
    Calls& calls_;
};

} // namespace

std::unique_ptr<ManagerObject> make_manager(sdbus::IConnection& connection, const Shown& shown, Calls& calls) {
    return std::make_unique<Manager>(connection, shown, calls);
}

} // namespace holdfast::bus
