// org.holdfast1.Tracker.
#include "bus/clock.hpp"
#include "bus/counters.hpp"
#include "bus/exported.hpp"
#include "bus/names.hpp"
#include "tracker_adaptor.hpp"

namespace holdfast::bus {
namespace {

class Tracker final : public Exported<org::holdfast1::Tracker_adaptor, TrackerObject> {
  public:
    Tracker(sdbus::IConnection& connection, const std::shared_ptr<const engine::TrackerView>& shown, Calls&)
        : Exported{connection, tracker_path(shown->model->name), shown} {
        registerAdaptor();
    }
    ~Tracker() override { unregisterAdaptor(); }

  private:
    std::string Name() override { return view->model->name; }
    std::string Kind() override { return std::string{model::kind_name(view->model->kind)}; }
    std::string Target() override { return model::target(view->model->kind); }
    std::string Status() override { return std::string{engine::name(view->verdict)}; }
    bool Degraded() override { return view->degraded; }
    std::string Detail() override { return utf8(view->detail); }
    std::uint64_t SkippedRuns() override { return view->skipped; }
    CounterList Counters() override { return counters(*view); }
    std::uint64_t SinceUSec() override { return realtime_usec(view->since); }
    std::vector<ObjectPath> Users() override {
        std::vector<ObjectPath> result;
        for (const auto& user : view->users)
            result.push_back(object(instance_path(user)));
        return result;
    }
};

} // namespace

std::unique_ptr<TrackerObject> make_object(sdbus::IConnection& connection,
                                           const std::shared_ptr<const engine::TrackerView>& shown, Calls& calls) {
    return std::make_unique<Tracker>(connection, shown, calls);
}

} // namespace holdfast::bus
