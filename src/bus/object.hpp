// One D-Bus object: the view that it shows, and its signals. What it answers to stands in the file of its interface.
#pragma once

#include "bus/calls.hpp"
#include "bus/shown.hpp"

#include <memory>
#include <string>
#include <vector>

namespace sdbus {
class IConnection;
}

namespace holdfast::bus {

template <typename View>
class Object {
  public:
    explicit Object(std::shared_ptr<const View> shown) : view{std::move(shown)} {}
    virtual ~Object() = default;
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;

    virtual void signal(const std::vector<std::string>& changed_properties) = 0;
    virtual void signal_added() = 0;
    virtual void signal_removed() = 0;

    std::shared_ptr<const View> view; ///< of the snapshot that is shown
};

/// Of something that has a state.
template <typename View>
class StateObject : public Object<View> {
  public:
    using Object<View>::Object;
    virtual void signal_edge(const engine::Transition&) = 0;
};

class ManagerObject {
  public:
    virtual ~ManagerObject() = default;
    virtual void signal(const std::vector<std::string>& changed_properties) = 0;
};

using InstanceObject = StateObject<engine::InstanceView>;
using GroupObject = StateObject<engine::GroupView>;
using TrackerObject = Object<engine::TrackerView>;
using VirtualServerObject = StateObject<engine::VirtualServerView>;
using RealServerObject = StateObject<engine::RealServerView>;

/// They are on the bus as long as they live, and show what `shown` holds at the time.
std::unique_ptr<ManagerObject> make_manager(sdbus::IConnection&, const Shown& shown, Calls&);
std::unique_ptr<InstanceObject> make_object(sdbus::IConnection&, const std::shared_ptr<const engine::InstanceView>&,
                                            Calls&);
std::unique_ptr<GroupObject> make_object(sdbus::IConnection&, const std::shared_ptr<const engine::GroupView>&, Calls&);
std::unique_ptr<TrackerObject> make_object(sdbus::IConnection&, const std::shared_ptr<const engine::TrackerView>&,
                                           Calls&);
/// Their counters are those of `shown`.
std::unique_ptr<VirtualServerObject>
make_server(sdbus::IConnection&, const std::shared_ptr<const engine::VirtualServerView>&, const Shown& shown, Calls&);
std::unique_ptr<RealServerObject> make_server(sdbus::IConnection&, const std::shared_ptr<const engine::RealServerView>&,
                                              const Shown& shown, Calls&);

} // namespace holdfast::bus
