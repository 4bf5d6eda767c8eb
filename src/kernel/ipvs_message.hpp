// What is asked of the kernel's load balancer: values to bytes of generic netlink (linux/ip_vs.h, genetlink.h). Every message is
// one whole request. No socket here, so tests use literal messages.
#pragma once

#include "base/bytes.hpp"
#include "engine/ipvs.hpp"

namespace holdfast::kernel {

/// For the number of the family "IPVS"; the kernel loads ip_vs for it when it can.
Bytes encode_family_request(std::uint32_t sequence);

/// Where a request goes: the number of the family, and what its answers carry.
struct IpvsRequest {
    std::uint16_t family{0};
    std::uint32_t sequence{0};
    bool acknowledge{true}; ///< of a step: success is told too; a failure always is
};
Bytes encode(const engine::IpvsStep&, IpvsRequest);
Bytes encode_service_dump(IpvsRequest);
Bytes encode_destination_dump(const model::ServiceKey&, IpvsRequest);
Bytes encode_sync_dump(IpvsRequest);
/// Answered by one message and an acknowledgement.
Bytes encode_timeouts_request(IpvsRequest);

} // namespace holdfast::kernel
