// Rules that need more than one directive: of an object by itself (check_*), and between objects (check_together).
// Invariant: they look only at values that were read well, so one mistake is one message.
#pragma once

#include "config/object.hpp"

#include <string>
#include <vector>

namespace holdfast::config {

/// An object of the file with its name and place.
template <typename Object>
struct Named {
    std::string name;
    Mark mark;
    Draft<Object> draft;
};

void check_instance(Context&, const Named<model::Instance>&);
void check_virtual_mac(Context&, const Named<model::Instance>&);
void check_ipvlan(Context&, const Named<model::Instance>&);
/// No two instances make the same interface, or two kinds on one.
void check_own_links(Context&, const std::vector<Named<model::Instance>>&);
/// Also fills in what depends on other directives (timeout = interval).
void check_tracker(Context&, Named<model::Tracker>&);
/// Members are in one group, and all of them are owners or none is.
void check_groups(Context&, const std::vector<Named<model::Group>>&, const std::vector<Named<model::Instance>>&);
/// No two instances share a virtual router or an address.
void check_together(Context&, const std::vector<Named<model::Instance>>&);

} // namespace holdfast::config
