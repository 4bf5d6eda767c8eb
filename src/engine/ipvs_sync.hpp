// The synchronisation daemon and the timeouts of the kernel's load balancer: what is asked, from what is wanted and what was read.
#pragma once

#include "engine/ipvs.hpp"
#include "model/ipvs.hpp"

#include <vector>

namespace holdfast::engine {

/// The roles that this host is to have; `master`: the instance that is followed is master here.
std::vector<IpvsSync> wanted_sync(const model::ConnectionSync&, bool master);
/// Appends what brings the kernel from `observed` to `wanted`. Where nothing is configured any more, `ours` says which roles this
/// daemon started; others' stay.
void plan_sync(const std::vector<IpvsSync>& observed, const std::vector<IpvsSync>& wanted,
               const std::vector<IpvsSync>& ours, std::vector<IpvsStep>& out);
/// Nothing when the kernel has them already.
std::optional<SetTimeouts> plan_timeouts(const IpvsTimeouts& observed, const model::ConnectionTimeouts& wanted);
/// Nothing to do, too, where the kernel does not show what there is.
std::optional<SetReuse> plan_reuse(const IpvsReuse& observed, const IpvsReuse& wanted);

} // namespace holdfast::engine
