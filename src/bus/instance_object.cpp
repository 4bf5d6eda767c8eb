// org.holdfast1.Instance.
#include "bus/clock.hpp"
#include "bus/counters.hpp"
#include "bus/describe.hpp"
#include "bus/exported.hpp"
#include "bus/names.hpp"
#include "bus/properties.hpp"
#include "instance_adaptor.hpp"

namespace holdfast::bus {
namespace {

class Instance final : public Exported<org::holdfast1::Instance_adaptor, InstanceObject> {
  public:
    Instance(sdbus::IConnection& connection, const std::shared_ptr<const engine::InstanceView>& shown, Calls& calls)
        : Exported{connection, instance_path(shown->model->name), shown}, calls_{calls} {
        registerAdaptor();
    }
    ~Instance() override { unregisterAdaptor(); }

    void signal_edge(const engine::Transition& edge) override {
        emitStateChanged(edge.from, edge.to, edge.reason_code, realtime_usec(edge.at));
    }

  private:
    const model::Instance& model() { return *view->model; }

    void Failover(sdbus::Result<std::string>&& result, Options options) override {
        const auto hold = span_of(options, hold_option);
        calls_.instance({model().name, engine::Failover{hold}}, answer_with_text(std::move(result)));
    }
    void Takeover(sdbus::Result<std::string>&& result, Options options) override {
        calls_.instance({model().name, takeover_of(options)}, answer_with_text(std::move(result)));
    }
    void SetPriority(sdbus::Result<std::string>&& result, std::uint8_t priority) override {
        calls_.instance({model().name, priority_of(priority)}, answer_with_text(std::move(result)));
    }
    void Announce(sdbus::Result<std::string>&& result) override {
        calls_.instance({model().name, engine::AnnounceNow{}}, answer_with_text(std::move(result)));
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
        return addresses(view->addresses);
    }
    std::vector<Struct<std::string, bool>> Routes() override { return extras(view->routes); }
    std::vector<Struct<std::string, bool>> Rules() override { return extras(view->rules); }
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
    std::uint64_t LeaseUntil() override { return realtime_usec(view->lease_until); }
    std::string LeaseNote() override { return utf8(view->lease_note); }
    Struct<std::string, bool, std::string, std::uint64_t, std::uint64_t> LastScript() override {
        const auto script = view->script.value_or(engine::ScriptView{});
        return {script.what, script.ok, utf8(script.detail), usec(script.took),
                script.what.empty() ? 0 : realtime_usec(script.at)};
    }
    std::vector<ObjectPath> Trackers() override { return trackers_of(model().track); }
    std::string SyncGroup() override { return view->group; }
    CounterList Counters() override { return counters(view->counters); }

    Calls& calls_;
};

} // namespace

std::unique_ptr<InstanceObject> make_object(sdbus::IConnection& connection,
                                            const std::shared_ptr<const engine::InstanceView>& shown, Calls& calls) {
    return std::make_unique<Instance>(connection, shown, calls);
}

} // namespace holdfast::bus
