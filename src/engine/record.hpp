// What has to outlive this process so that the next one can take up its mastership: plain bytes with a checksum. daemon/
// keeps them in a memory-mapped file. What changes with every advert (its time, its sequence number) lives beside this in two
// words a router (RecordFile).
#pragma once

#include "base/bytes.hpp"
#include "base/id.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "engine/ipvs.hpp"
#include "engine/link.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::engine {

/// A sender of signed adverts and its sequence numbers (Replay).
struct RecordedMark {
    IpAddress sender;
    std::uint64_t timely{}, highest{};
    bool operator==(const RecordedMark&) const = default;
};

struct RecordedRouter {
    std::uint32_t slot{}; ///< of its last-advert word
    std::string name;
    std::string interface;
    LinkIndex link{};
    MacAddress mac;
    Vrid vrid{};
    Family family{};
    bool master{false};
    Priority priority{};
    Duration interval{};
    std::vector<Prefix> addresses; ///< ours in the kernel, or on their way to it
    std::uint64_t sequence{};      ///< the last that was used; the reader of the file knows of newer ones
    std::vector<RecordedMark> marks;
    std::uint8_t priority_by_hand{}; ///< 0: none
    bool taken_over{false};
    std::optional<Time> held_until; ///< after a failover; CLOCK_MONOTONIC is the same for every process of a boot
    BootTime last_advert{};         ///< filled in by the reader of the file
    bool operator==(const RecordedRouter&) const = default;
};

/// An interface that was set for us, and how it was before.
struct RecordedLink {
    LinkIndex link{};
    std::string name;
    ArpSettings before;
    bool operator==(const RecordedLink&) const = default;
};

struct Record {
    std::string boot_id;               ///< /proc/sys/kernel/random/boot_id
    std::uint64_t network_namespace{}; ///< inode of /proc/self/ns/net
    std::uint32_t adoptions{};         ///< in a row, for the crash-loop guard
    BootTime first_adoption{};
    bool has_filter{false};                      ///< there is, or may be, a packet filter table of ours
    std::optional<IpvsTimeouts> timeouts_before; ///< IPVS: to be put back at the end
    std::optional<IpvsReuse> reuse_before;       ///< likewise
    std::vector<RecordedLink> links;
    std::vector<RecordedRouter> routers;
    std::vector<model::ServiceKey>
        services; ///< IPVS: ours in the kernel, or on their way to it; as the kernel compares them
    bool operator==(const Record&) const = default;
};

inline constexpr std::uint32_t record_version = 6; ///< 5 had no services, and is read too
/// Routers a record can hold (and thus adopt); more are run, but start as backups after a crash.
inline constexpr std::size_t record_capacity = 4096;
/// Services a record can hold; of more, those that leave the file while no daemon runs stay in the kernel.
inline constexpr std::size_t recorded_services = 4096;

Bytes encode(const Record&);
/// Refuses what is torn, of another version or malformed; the error says which.
Result<Record> decode_record(ByteView);

} // namespace holdfast::engine
