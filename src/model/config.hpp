// One node's whole configuration after defaults, per-host values and drop-in files are resolved. A finished Config is
// valid: every tracker that an instance names exists, every value is in range.
#pragma once

#include "model/group.hpp"
#include "model/instance.hpp"
#include "model/ipvs.hpp"
#include "model/mail.hpp"
#include "model/server.hpp"
#include "model/tracker.hpp"

#include <string>
#include <vector>

namespace holdfast::model {

/// An address of the daemon's own; its `interface` is given.
struct StaticAddress : VirtualAddress {
    std::string track_group; ///< the sync group that is in fault while it can't be there; empty: none
    bool operator==(const StaticAddress&) const = default;
};

struct Config {
    std::string node_name;
    std::vector<Instance> instances;  ///< sorted by name, names unique
    std::vector<Tracker> trackers;    ///< sorted by name, names unique
    std::vector<Route> static_routes; ///< of the daemon: there as long as it runs
    std::vector<Rule> static_rules;
    std::vector<StaticAddress> static_addresses;
    std::vector<AnnounceGroup> announce_groups; ///< sorted by name; an interface is in one at most
    std::vector<Group> groups;                  ///< sorted by name; an instance is in one at most
    bool log_unknown_vrids{false};              ///< name adverts that no instance here is meant by
    std::optional<Mail> mail;                   ///< given, when somebody's `notify` has mail: true
    std::vector<VirtualServer> virtual_servers; ///< sorted by name, names unique; no service is in two of them
    Ipvs ipvs;                                  ///< the kernel's load balancer as a whole
    bool operator==(const Config&) const = default;
};

const Instance* find_instance(const Config&, const std::string& name);
const Tracker* find_tracker(const Config&, const std::string& name);
const VirtualServer* find_server(const Config&, const std::string& name);
/// The group that this instance is a member of.
const Group* group_of(const Config&, const std::string& instance);

} // namespace holdfast::model
