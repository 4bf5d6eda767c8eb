// What holdfastd and its helpers say to each other, as plain values. A Request goes from the daemon to a helper, a
// Report comes back, and nothing else is ever said. Invariant: every value that passes its `valid` check can be encoded
// and comes out of the decoder equal (codec.hpp).
#pragma once

#include "base/id.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "model/check.hpp"
#include "model/tracker.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace holdfast::ipc {

/// One subscription, chosen by the daemon. The prober and the runner each have their own numbers.
using WatchId = Id<struct WatchTag, std::uint64_t>;

inline constexpr std::size_t max_packet = 65536;    ///< bytes of one message
inline constexpr std::size_t max_descriptors = 64;  ///< of one message (the kernel's limit is 253, unix(7))
inline constexpr std::size_t max_url = 4096;        ///< bytes
inline constexpr std::size_t max_process_name = 64; ///< bytes; the kernel keeps the first 15 (proc(5), comm)
inline constexpr std::size_t max_detail = 200;      ///< bytes, printable ASCII
inline constexpr std::size_t max_words = 128;       ///< of a command, arguments or environment
inline constexpr std::size_t max_word = 4096;       ///< bytes
inline constexpr std::size_t max_path = 4096;       ///< bytes
inline constexpr std::size_t max_line = 512;        ///< bytes of a line for a FIFO
inline constexpr std::size_t max_mail = 16384;      ///< bytes of a message
inline constexpr std::size_t max_processes_a_message = 4096;
inline constexpr unsigned max_retry = 1000;
inline constexpr Duration shortest_probe = 1ms; ///< the least interval and timeout
inline constexpr Duration longest_probe = std::chrono::hours{24 * 366};

// --- daemon to prober
// ---------------------------------------------------------------------------------------------------

/// GET `url` every `interval`, each time given `timeout` in all. The same id again replaces the probe.
struct StartHttp {
    WatchId id;
    std::string url;   ///< http:// only
    Duration interval; ///< shortest_probe to longest_probe
    Duration timeout;  ///< shortest_probe to longest_probe
    bool operator==(const StartHttp&) const = default;
};
/// Connect to `address` every `interval`, each time given `timeout`.
struct StartTcp {
    WatchId id;
    std::string address; ///< "192.0.2.1:80", "[2001:db8::1]:80"
    Duration interval;
    Duration timeout;
    bool operator==(const StartTcp&) const = default;
};
/// Ask the driver of a link for its carrier every `interval` (ETHTOOL_GLINK): a Verdict when the answer is another one, and one
/// a heartbeat; unknown when the driver can't be asked.
struct StartCarrier {
    WatchId id;
    std::string interface; ///< 1 to 15 bytes
    Duration interval;     ///< shortest_probe to longest_probe
    bool operator==(const StartCarrier&) const = default;
};
/// Look at one server, again and again. After a bad probe the next comes `retry_delay` later, for at most `retry` bad
/// ones in a row, else a probe begins every `interval`. Each outcome is a Verdict until `tell` in a row were equal; from
/// then on one a heartbeat, and every change at once; of its reason alone, one a second. The same id again starts over.
struct StartCheck {
    WatchId id;
    model::CheckKind what;     ///< a network probe (model::is_network_probe)
    IpAddress address;         ///< to connect to
    std::uint16_t port{0};     ///< likewise; 0 only for ping
    model::ProbeSocket socket; ///< its own `address` and `port` are empty: the daemon has put them into the two above
    Duration interval{0};      ///< shortest_probe to longest_probe
    Duration timeout{0};       ///< of a probe in all; shortest_probe to longest_probe
    std::uint32_t retry{0};    ///< 0 to max_retry
    Duration retry_delay{0};   ///< 0 to longest_probe
    Duration warmup{0};        ///< the first probe begins within it, at a moment of its own; 0: at once
    std::uint16_t tell{1};     ///< 1 and more
    bool operator==(const StartCheck&) const = default;
};
/// How the detail of a check begins whose page has another digest; the digest, in hex, follows.
inline constexpr std::string_view digest_found = "the digest of the body is ";
/// How often an outcome that does not change is told.
inline constexpr Duration heartbeat = 5s;
inline constexpr Duration reason_pause = 1s; ///< between two reasons of a check that stays bad
/// A probe that begins so long after its time is counted as late.
inline constexpr Duration late_after = 10ms;
/// Deliver one message, in one attempt: an Ended says what came of it.
struct SendMail {
    WatchId id;
    std::string server; ///< smtp://HOST[:PORT] or smtps://HOST[:PORT]
    std::string hello;
    std::string from;
    model::Words to;
    std::string user, password; ///< empty: no login
    std::string ca_file;        ///< empty: the system's
    bool starttls{true};        ///< when offered
    bool verified{false};       ///< encrypted, to a server that proves its name, or not at all
    std::string text;           ///< header and body, lines end with CR LF (RFC 5322)
    Duration timeout;
    bool operator==(const SendMail&) const = default;
};
/// Ends a probe; a verdict already under way may still arrive, also after a replacement: a probe of another URL
/// deserves another id.
struct Stop {
    WatchId id;
    bool operator==(const Stop&) const = default;
};

// --- daemon to runner
// ---------------------------------------------------------------------------------------------------

/// Find processes in this network namespace, by `name` and `words` or by `words` alone: every 100 ms while fewer than
/// `quorum` run, else every 1 s. The same id again starts over: every process is reported anew, with its descriptor.
struct WatchProcesses {
    WatchId id;
    std::string name;        ///< /proc/PID/comm; what is longer than 15 bytes is compared by its first 15; may be empty
    std::uint32_t quorum{1}; ///< 0 to 65535
    model::Words words{};    ///< with a name: of the arguments, else of the whole command line; empty: not compared
    model::Match match{model::Match::exact};
    bool operator==(const WatchProcesses&) const = default;
};
/// Run a program every `interval`: each end is a Verdict. Output's last line is the detail. A run that has not ended when
/// the next is due makes that one be left out.
struct StartScript {
    WatchId id;
    model::Words argv; ///< a program by its absolute path, and its arguments
    std::string user;  ///< empty: the runner's own
    Duration interval;
    Duration timeout; ///< then SIGTERM to its process group, 2 s later SIGKILL
    bool operator==(const StartScript&) const = default;
};
/// Run a program once: its end is an Ended. Told again to a new runner if the one that ran it died.
struct RunScript {
    WatchId id;
    model::Words argv;
    std::string user;
    Duration timeout;
    model::Words environment; ///< "NAME=value", beside a PATH
    bool operator==(const RunScript&) const = default;
};
/// Read the number in a text file now and whenever it changes: a FileFound each time.
struct WatchFile {
    WatchId id;
    std::string path;
    bool operator==(const WatchFile&) const = default;
};
/// Write a line into a FIFO, made if it is not there; lines of one FIFO are written in the order of their ids. An Ended
/// when it is written or can't be. Waits while nobody reads.
struct WriteLine {
    WatchId id;
    std::string path;
    std::string line; ///< with its newline
    bool operator==(const WriteLine&) const = default;
};
struct Unwatch {
    WatchId id;
    bool operator==(const Unwatch&) const = default;
};

// --- helper to daemon
// ---------------------------------------------------------------------------------------------------

/// The result of one probe, or of one run of a script.
struct Verdict {
    WatchId id;
    bool ok{false};
    std::string detail;       ///< for people: "status 404"
    Duration latency{0};      ///< from the start of the probe to its end
    std::uint64_t skipped{0}; ///< runs of a script, or probes of a check, left out so far
    bool unknown{
        false}; ///< of a check or a carrier: no probe could be made, the detail says why and the cure; `ok` is false
    std::int32_t value{-1}; ///< of a script that ended by itself: its exit status
    std::uint64_t late{0};  ///< probes of a check so far that began late_after and more after their time
    Duration lateness{0};   ///< of a check: how late a probe began, the worst since the last Verdict
    bool operator==(const Verdict&) const = default;
};

/// A process is told apart from an earlier one with its pid by its start time.
struct ProcessInfo {
    std::int32_t pid{0};
    std::uint64_t start{0};      ///< clock ticks after boot (proc(5), stat field 22)
    bool child_of_match{false};  ///< was seen as the child of another process of this list
    bool parent_of_match{false}; ///< was seen as the parent of one
    bool has_fd{false};          ///< its pidfd comes with this message, in the order of the list
    bool operator==(const ProcessInfo&) const = default;
};

/// What one scan found. A scan is one or more messages, `first` to `last`; all of it lists every matching process, and
/// only a process that is new since the last report brings a pidfd. There is one scan each 100 ms or 1 s even when
/// nothing has changed: each is an observation for rise and fall.
struct ProcessesFound {
    WatchId id;
    bool first{true};
    bool last{true};
    std::vector<ProcessInfo> processes;
    bool operator==(const ProcessesFound&) const = default;
};

struct FileFound {
    WatchId id;
    bool there{false};
    bool legible{true}; ///< false: it can't be read, or holds no number; the detail says why
    std::int64_t value{0};
    std::string detail;
    bool operator==(const FileFound&) const = default;
};
/// Of what is done once.
struct Ended {
    WatchId id;
    bool ok{false};
    std::string detail; ///< "exit status 1: last line of its output", "cannot run /x: No such file or directory"
    Duration took{0};
    bool operator==(const Ended&) const = default;
};

using Request = std::variant<StartHttp, Stop, WatchProcesses, Unwatch, StartTcp, StartScript, RunScript, WatchFile,
                             WriteLine, SendMail, StartCheck, StartCarrier>;
using Report = std::variant<Verdict, ProcessesFound, FileFound, Ended>;

inline WatchId id_of(const Request& request) {
    return std::visit([](const auto& each) { return each.id; }, request);
}

/// How many descriptors travel with it.
std::size_t descriptors_of(const Report&);

/// Nothing when the value may travel, else the reason in words.
Result<void> valid(const Request&);
Result<void> valid(const Report&);

/// `text` as a detail may be: at most max_detail bytes, each byte that is not printable ASCII replaced by '?'.
std::string printable(std::string_view text);

} // namespace holdfast::ipc
