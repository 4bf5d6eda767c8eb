// rtnetlink messages about routes and rules.
#pragma once

#include "base/bytes.hpp"
#include "engine/action.hpp"
#include "engine/event.hpp"

#include <linux/netlink.h>
#include <optional>
#include <vector>

namespace holdfast::kernel {

Bytes encode(const engine::PutRoute&, std::uint32_t sequence);
Bytes encode(const engine::RemoveRoute&, std::uint32_t sequence);
Bytes encode(const engine::PutRule&, std::uint32_t sequence);
Bytes encode(const engine::RemoveRule&, std::uint32_t sequence);

/// Dump requests: routes of ours only (any table), or of one table and family whoever made them; all rules.
Bytes encode_route_dump(Family, std::uint32_t sequence);
Bytes encode_table_dump(Family, std::uint32_t table, std::uint32_t sequence);
Bytes encode_rule_dump(std::uint32_t sequence);

/// RouteChanged or RouteRemoved; nothing for what is malformed, cached or cloned. Routes of others are read too, because one may
/// be tracked or have replaced ours: whether anybody wants it, is decided by its destination.
std::optional<engine::Event> decode_route(const nlmsghdr&);
bool is_watched(const engine::KernelRoute&, const std::vector<engine::WatchRoutes::Where>&);
/// Of ours only.
std::optional<engine::Event> decode_rule(const nlmsghdr&);

} // namespace holdfast::kernel
