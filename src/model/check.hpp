// How a real server is looked at: what a probe does, and the rule that turns probes into up or down. A check knows nothing
// of pools: they name it, and one check serves every server that it is written for.
#pragma once

#include "base/bytes.hpp"
#include "base/ip.hpp"
#include "base/time.hpp"
#include "model/tracker.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace holdfast::model {

/// A connection can be made.
struct TcpCheck {
    bool operator==(const TcpCheck&) const = default;
};

/// What of the body of an answer counts.
struct BodyPattern {
    std::string regex;  ///< PCRE2
    bool absent{false}; ///< good when it does not match
    bool caseless{false}, multiline{false}, dotall{false}, extended{false};
    std::uint32_t min_offset{0};             ///< bytes of the body before it, at least
    std::optional<std::uint32_t> max_offset; ///< and at most; nothing: anywhere
    bool operator==(const BodyPattern&) const = default;
};
enum class DigestKind : std::uint8_t { md5, sha256 };
struct BodyDigest {
    DigestKind kind{DigestKind::md5};
    std::string hex; ///< lower case
    bool operator==(const BodyDigest&) const = default;
};
using StatusRange = std::pair<std::uint16_t, std::uint16_t>; ///< both included, 100 to 999

/// One request of an HTTP check; all of a check's have to be answered well.
struct HttpRequest {
    std::string path{"/"};
    std::vector<StatusRange> status{{200, 299}};
    std::optional<BodyDigest> digest;
    std::optional<BodyPattern> body;
    bool operator==(const HttpRequest&) const = default;
};
enum class HttpVersion : std::uint8_t { v1_0, v1_1, v2 };
struct HttpCheck {
    std::vector<HttpRequest> requests{HttpRequest{}};
    HttpVersion version{HttpVersion::v1_1};
    std::string method{"GET"};
    std::string host;                 ///< of the Host header; empty: the address
    std::vector<std::string> headers; ///< "Name: value"
    bool tls{false};
    std::string server_name;                         ///< SNI, and whom the certificate must name; empty: `host`
    bool verify{false};                              ///< the server's certificate is checked
    std::string ca_file, certificate_file, key_file; ///< empty: the system's, none, none
    bool operator==(const HttpCheck&) const = default;
};

/// The banner says 220, HELO is answered with 250, then QUIT.
struct SmtpCheck {
    std::string helo{"localhost"};
    bool operator==(const SmtpCheck&) const = default;
};

enum class DnsType : std::uint16_t { a = 1, ns = 2, cname = 5, soa = 6, mx = 15, txt = 16, aaaa = 28 };
/// A query by UDP is answered with RCODE 0.
struct DnsCheck {
    std::string name{"."};
    DnsType type{DnsType::soa};
    bool operator==(const DnsCheck&) const = default;
};

/// A datagram is answered, or at least not refused (ICMP).
struct UdpCheck {
    Bytes payload;
    bool require_reply{false};
    Bytes reply, mask; ///< of the reply's first bytes; a bit of `mask` that is 0 is not compared; both of one size
    std::uint16_t min_length{0}, max_length{255};
    bool operator==(const UdpCheck&) const = default;
};

/// ICMP echo, by an unprivileged socket (icmp(7), net.ipv4.ping_group_range).
struct PingCheck {
    bool operator==(const PingCheck&) const = default;
};

/// What a tracker says: a BFD session, or a number in a file that is added to the weight, times `weight`.
struct TrackerCheck {
    std::string tracker;
    std::int32_t weight{0}; ///< 0: down when the tracker is
    bool reverse{false};
    bool operator==(const TrackerCheck&) const = default;
};

/// The program ends with status 0 within the timeout. `dynamic`: a status of 2 to 255 is up, and the weight is that less 2.
struct ScriptCheck {
    Words script;
    std::string user; ///< empty: whom the runner runs as
    bool dynamic{false};
    bool operator==(const ScriptCheck&) const = default;
};

using CheckKind =
    std::variant<TcpCheck, HttpCheck, SmtpCheck, DnsCheck, UdpCheck, PingCheck, TrackerCheck, ScriptCheck>;

/// How a probe's socket is made.
struct ProbeSocket {
    std::optional<IpAddress> address; ///< to connect to; nothing: the real server's
    std::uint16_t port{0};            ///< likewise; 0: the real server's
    std::optional<IpAddress> source;
    std::uint16_t source_port{0};
    std::string interface; ///< SO_BINDTODEVICE; empty: none
    std::uint32_t mark{0}; ///< SO_MARK, 0: none
    bool operator==(const ProbeSocket&) const = default;
};

struct Check {
    CheckKind kind;
    ProbeSocket socket;
    Duration interval{10s};
    Duration timeout{5s};
    unsigned retry{1};        ///< bad probes that are forgiven in a row, 0 to 1000
    Duration retry_delay{1s}; ///< between a bad probe that is forgiven and the next
    unsigned rise{1};         ///< good probes in a row that make it up again, 1 to 1000
    Duration warmup{0};       ///< the first probe comes within this time
    bool operator==(const Check&) const = default;
};

/// "tcp", "http", "https", "smtp", "dns", "udp", "ping", "tracker", "script".
std::string_view kind_name(const Check&);
/// The prober makes these.
bool is_network_probe(const CheckKind&);

} // namespace holdfast::model
