// An object of the file and the instances of the model: `web` is `web/ipv4` and `web/ipv6` when it has addresses of both
// families. Invariant: join_families() gives the object again that split_families() took apart.
#pragma once

#include "model/instance.hpp"

#include <vector>

namespace holdfast::config {

/// Of an object of the file: it has addresses of this family.
bool has_family(const model::Instance&, Family);
void split_families(const model::Instance& both, std::vector<model::Instance>& out);
std::vector<model::Instance> join_families(const std::vector<model::Instance>&);

} // namespace holdfast::config
