// org.holdfast1.SyncGroup.
#include "bus/clock.hpp"
#include "bus/describe.hpp"
#include "bus/exported.hpp"
#include "bus/names.hpp"
#include "syncgroup_adaptor.hpp"

namespace holdfast::bus {
namespace {

class SyncGroup final : public Exported<org::holdfast1::SyncGroup_adaptor, GroupObject> {
  public:
    SyncGroup(sdbus::IConnection& connection, const std::shared_ptr<const engine::GroupView>& shown, Calls& calls)
        : Exported{connection, group_path(shown->model->name), shown}, calls_{calls} {
        registerAdaptor();
    }
    ~SyncGroup() override { unregisterAdaptor(); }

    void signal_edge(const engine::Transition& edge) override {
        emitStateChanged(edge.from, edge.to, edge.reason_code, realtime_usec(edge.at));
    }

  private:
    void Failover(sdbus::Result<std::string>&& result, Options options) override {
        calls_.instance({view->model->name, engine::Failover{span_of(options, hold_option)}},
                        answer_with_text(std::move(result)));
    }
    void Takeover(sdbus::Result<std::string>&& result, Options options) override {
        calls_.instance({view->model->name, takeover_of(options)}, answer_with_text(std::move(result)));
    }
    void SetPriority(sdbus::Result<std::string>&& result, std::uint8_t priority) override {
        calls_.instance({view->model->name, priority_of(priority)}, answer_with_text(std::move(result)));
    }
    void Announce(sdbus::Result<std::string>&& result) override {
        calls_.instance({view->model->name, engine::AnnounceNow{}}, answer_with_text(std::move(result)));
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
    std::vector<ObjectPath> Trackers() override { return trackers_of(view->model->track); }

    Calls& calls_;
};

} // namespace

std::unique_ptr<GroupObject> make_object(sdbus::IConnection& connection,
                                         const std::shared_ptr<const engine::GroupView>& shown, Calls& calls) {
    return std::make_unique<SyncGroup>(connection, shown, calls);
}

} // namespace holdfast::bus
