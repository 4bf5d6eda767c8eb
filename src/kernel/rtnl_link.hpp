// rtnetlink messages about links: the macvlans of virtual MACs and the ipvlans, their settings, and what the kernel tells of any
// link. Everything goes by netlink, so that a sandbox may keep /proc/sys read-only.
#pragma once

#include "base/bytes.hpp"
#include "engine/action.hpp"
#include "engine/event.hpp"

#include <linux/netlink.h>
#include <optional>

namespace holdfast::kernel {

/// IFLA_GROUP of every link that holdfast makes: VRRP's own protocol number.
inline constexpr std::uint32_t link_group = 112;

Bytes encode(const engine::AddLink&, std::uint32_t sequence);
Bytes encode(const engine::ConfigureLink&, std::uint32_t sequence);
Bytes encode(const engine::SetLinkUp&, std::uint32_t sequence);
Bytes encode(const engine::RemoveLink&, std::uint32_t sequence);
Bytes encode(const engine::SetArp&, std::uint32_t sequence);
Bytes encode(const engine::PromoteSecondaries&, std::uint32_t sequence);

/// LinkChanged or LinkRemoved; nothing for what is malformed or about a bridge's port.
std::optional<engine::Event> decode_link(const nlmsghdr&);

} // namespace holdfast::kernel
