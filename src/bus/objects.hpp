// The D-Bus objects: views of the snapshot that is shown, brought in line with each new one. What differs is signalled,
// once an object and snapshot; state edges by their number, so none is lost or merged.
#pragma once

#include "bus/calls.hpp"
#include "bus/object.hpp"
#include "bus/shown.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace holdfast::bus {

class Objects {
  public:
    Objects(sdbus::IConnection& connection, Calls& calls, std::function<void(std::string)> warn, const Shown& shown);
    ~Objects();
    Objects(const Objects&) = delete;
    Objects& operator=(const Objects&) = delete;

    void show(const Shown& next);

  private:
    void add_missing(bool signal);
    void signal_changes(const Shown& before);
    void signal_transitions();
    void remove_gone();
    void add_missing_servers(bool signal);
    void remove_gone_servers();

    sdbus::IConnection& connection_;
    Calls& calls_;
    std::function<void(std::string)> warn_;
    Shown shown_;
    bool servers_changed_{true}; ///< there may be ten thousand: they are looked at when one of them differs
    std::uint64_t last_transition_{0};
    std::unique_ptr<ManagerObject> manager_;
    std::map<std::string, std::unique_ptr<InstanceObject>> instances_;
    std::map<std::string, std::unique_ptr<GroupObject>> groups_;
    std::map<std::string, std::unique_ptr<TrackerObject>> trackers_;
    std::map<std::string, std::unique_ptr<VirtualServerObject>> servers_;
    std::map<std::string, std::unique_ptr<RealServerObject>> reals_; ///< by "SERVER/NAME"
};

} // namespace holdfast::bus
