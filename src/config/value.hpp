// The types of scalar directives: text of the file <-> value, with the range in one place. Invariant: print() of a
// value that parse() gave parses back to the same value.
#pragma once

#include "base/id.hpp"
#include "base/time.hpp"
#include "config/tree.hpp"
#include "model/instance.hpp"
#include "model/tracker.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace holdfast::config {

/// What is wrong with a value. `text` goes on after the directive's word: "must be 1 to 255, not 300".
struct Complaint {
    std::string text;
    std::string hint;
};
template <typename T>
using Parsed = std::expected<T, Complaint>;

/// "must be `wanted`, not 'text'", for any node.
Complaint must_be(std::string_view wanted, const Node& node, std::string hint = {});

Parsed<long> parse_integer(const Node&, long low, long high, std::string_view wanted);
/// A duration with a unit; the range is up to the caller.
Parsed<Duration> parse_span(const Node&, std::string_view wanted);
/// A scalar for our own YAML: plain when that is safe, in double quotes otherwise.
std::string yaml_text(std::string_view);

/// Whole numbers, into a plain number or a strong id.
template <typename T>
struct Number {
    using Value = T;
    long low;
    long high;

    std::string values() const { return std::to_string(low) + " to " + std::to_string(high); }
    Parsed<T> parse(const Node& node) const {
        const auto number = parse_integer(node, low, high, "a number from " + values());
        if (!number) return std::unexpected{number.error()};
        return make(*number);
    }
    std::string print(const T& value) const {
        if constexpr (requires { value.value; })
            return std::to_string(value.value);
        else
            return std::to_string(value);
    }

  private:
    static T make(long number) {
        if constexpr (requires(T value) { value.value; })
            return T{static_cast<decltype(T::value)>(number)};
        else
            return static_cast<T>(number);
    }
};

/// A duration between two others; zero too when it switches something off.
struct Span {
    using Value = Duration;
    Duration low;
    Duration high;
    bool or_zero{false};

    std::string values() const;
    Parsed<Duration> parse(const Node&) const;
    std::string print(Duration value) const { return to_string(value); }
};

/// Any interval that one of the two versions can send; which one, is checked when the version is known.
struct AdvertInterval {
    using Value = Duration;

    std::string values() const;
    Parsed<Duration> parse(const Node&) const;
    std::string print(Duration value) const { return to_string(value); }
};

struct Flag {
    using Value = bool;

    std::string values() const { return "true or false (on, off, yes, no)"; }
    Parsed<bool> parse(const Node&) const;
    std::string print(bool value) const { return value ? "true" : "false"; }
};

/// "60s" or "all 60s".
struct OtherLinksSchedule {
    using Value = model::OtherLinks;

    std::string values() const { return "0s or 1s to 1d; before it `all`, for every one of them: all 1min"; }
    Parsed<model::OtherLinks> parse(const Node&) const;
    std::string print(const model::OtherLinks& other) const {
        return (other.all ? "all " : "") + to_string(other.every);
    }
};

struct LeaseMode {
    using Value = model::Lease;

    std::string values() const { return "auto or off"; }
    Parsed<model::Lease> parse(const Node&) const;
    std::string print(const model::Lease& lease) const { return lease.on ? "auto" : "off"; }
};

/// An address that one host has, without a prefix length.
struct HostAddress {
    using Value = IpAddress;

    std::string values() const { return "an IP address"; }
    Parsed<IpAddress> parse(const Node&) const;
    std::string print(const IpAddress& address) const { return yaml_text(to_string(address)); }
};

struct MulticastGroup {
    using Value = IpAddress;
    Family family{};

    std::string values() const;
    Parsed<IpAddress> parse(const Node&) const;
    std::string print(const IpAddress& address) const { return yaml_text(to_string(address)); }
};

struct ChecksumStyle {
    using Value = model::Checksum;

    std::string values() const { return "pseudo_header or message"; }
    Parsed<model::Checksum> parse(const Node&) const;
    std::string print(model::Checksum style) const {
        return style == model::Checksum::message ? "message" : "pseudo_header";
    }
};

struct VersionNumber {
    using Value = model::Version;

    std::string values() const { return "2 or 3"; }
    Parsed<model::Version> parse(const Node&) const;
    std::string print(model::Version version) const { return version == model::Version::v2 ? "2" : "3"; }
};

struct MatchWord {
    using Value = model::Match;

    std::string values() const { return "exact, initial or partial"; }
    Parsed<model::Match> parse(const Node&) const;
    std::string print(model::Match match) const;
};

/// A text that a function checks: names of interfaces, processes, units; URLs.
struct Text {
    using Value = std::string;
    Parsed<std::string> (*check)(const Node&);
    std::string_view what;

    std::string values() const { return std::string{what}; }
    Parsed<std::string> parse(const Node& node) const { return check(node); }
    std::string print(const std::string& value) const { return yaml_text(value); }
};

Parsed<std::string> check_link(const Node&);
/// What the sync group of another section is called.
Parsed<std::string> check_group(const Node&);
/// As check_link, but without the loopback: nobody else hears what is sent there.
Parsed<std::string> check_vrrp_link(const Node&);
Parsed<std::string> check_process(const Node&);
Parsed<std::string> check_unit(const Node&);
Parsed<std::string> check_local_url(const Node&);
/// "ADDRESS:PORT", the address in brackets when it is IPv6.
Parsed<std::string> check_host_port(const Node&);
/// smtp:// or smtps:// with a host, and a port if need be; nothing behind it.
Parsed<std::string> check_mail_server(const Node&);
Parsed<std::string> check_path(const Node&);
Parsed<std::string> check_user(const Node&);
Parsed<std::string> check_object_name(const Node&);

} // namespace holdfast::config
