// rtnetlink messages about addresses.
#pragma once

#include "base/bytes.hpp"
#include "engine/action.hpp"
#include "engine/event.hpp"

#include <linux/netlink.h>
#include <optional>

namespace holdfast::kernel {

Bytes encode(const engine::AddAddress&, std::uint32_t sequence);
Bytes encode(const engine::RenewAddress&, std::uint32_t sequence);
Bytes encode(const engine::RemoveAddress&, std::uint32_t sequence);

/// AddressChanged or AddressRemoved; nothing for what is malformed.
std::optional<engine::Event> decode_address(const nlmsghdr&);

} // namespace holdfast::kernel
