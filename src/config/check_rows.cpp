// The directives of a check. Exactly one of the first nine says what a probe does; config/check_check sees to that and to
// which of the others go with it.
#include "config/check_types.hpp"
#include "config/http_request_rows.hpp"
#include "config/server.hpp"
#include "config/word_of.hpp"

#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::Check;
using model::DnsCheck;
using model::HttpCheck;
using model::HttpRequest;
using model::PingCheck;
using model::ProbeSocket;
using model::ScriptCheck;
using model::SmtpCheck;
using model::TcpCheck;
using model::TrackerCheck;
using model::UdpCheck;

constexpr std::string_view one_of_these = "one of the nine";
constexpr Duration hour = std::chrono::hours{1};

constexpr auto dns_types = word_of<model::DnsType>({{"A", model::DnsType::a},
                                                    {"NS", model::DnsType::ns},
                                                    {"CNAME", model::DnsType::cname},
                                                    {"SOA", model::DnsType::soa},
                                                    {"MX", model::DnsType::mx},
                                                    {"TXT", model::DnsType::txt},
                                                    {"AAAA", model::DnsType::aaaa}});
constexpr auto http_versions = word_of<model::HttpVersion>(
    {{"1.0", model::HttpVersion::v1_0}, {"1.1", model::HttpVersion::v1_1}, {"2", model::HttpVersion::v2}});

// ---- the kinds -----------------------------------------------------------------------------------------------------------
Directive<Check> http_row(std::string_view word, bool tls, std::string_view help) {
    auto row = bare_row<Check>(word, Shape::list, "a path, or a list of paths and maps", help);
    row.read = [word, tls](Context& context, const Node& node, Check& check) -> std::optional<Mark> {
        auto requests = read_requests(context, word, node);
        if (!requests) return std::nullopt;
        HttpCheck kind;
        kind.requests = std::move(*requests);
        kind.tls = tls;
        check.kind = std::move(kind);
        return node.mark;
    };
    row.write = [tls](const Check& check, Secrets) -> std::optional<std::string> {
        const auto* const http = std::get_if<HttpCheck>(&check.kind);
        if (!http || http->tls != tls) return std::nullopt;
        return write_requests(http->requests);
    };
    return std::move(row).says_default(one_of_these);
}

/// A kind that is a map of rows of its own, or in short one scalar of them.
template <typename Kind>
Directive<Check> map_row(std::string_view word, const std::vector<Directive<Kind>>& rows, std::string_view values,
                         std::string_view help) {
    auto row = bare_row<Check>(word, Shape::map, std::string{values}, help);
    row.read = [word, rows](Context& context, const Node& node, Check& check) -> std::optional<Mark> {
        auto kind = read_map<Kind>(context, node, rows, {}, word, fmt::format("{}: {{}}", word));
        if (!kind) return std::nullopt;
        check.kind = std::move(*kind);
        return node.mark;
    };
    row.write = [rows](const Check& check, Secrets) -> std::optional<std::string> {
        const auto* const kind = std::get_if<Kind>(&check.kind);
        if (!kind) return std::nullopt;
        return write_item<Kind>(rows, *kind);
    };
    return std::move(row).says_default(one_of_these);
}

Directive<UdpCheck> payload_row() {
    auto row = bare_row<UdpCheck>("payload", Shape::scalar, "bytes in hexadecimal: 01ff", "What is sent.");
    row.read = [](Context& context, const Node& node, UdpCheck& check) -> std::optional<Mark> {
        auto hex = parse_hex(node, false);
        if (!hex) complain(context, "payload", node, hex.error());
        if (!hex) return std::nullopt;
        check.payload = std::move(hex->bytes);
        return node.mark;
    };
    row.write = [](const UdpCheck& check, Secrets) -> std::optional<std::string> {
        if (check.payload.empty()) return std::nullopt;
        return print_hex(check.payload, {});
    };
    return std::move(row).says_default("an empty datagram");
}

Directive<UdpCheck> reply_row() {
    auto row = bare_row<UdpCheck>("reply", Shape::scalar, "bytes in hexadecimal, XX for any byte: 01XX",
                                  "What a reply begins with; then one is required.");
    row.read = [](Context& context, const Node& node, UdpCheck& check) -> std::optional<Mark> {
        auto hex = parse_hex(node, true);
        if (!hex) complain(context, "reply", node, hex.error());
        if (!hex) return std::nullopt;
        check.reply = std::move(hex->bytes);
        check.mask = std::move(hex->mask);
        check.require_reply = true;
        return node.mark;
    };
    row.write = [](const UdpCheck& check, Secrets) -> std::optional<std::string> {
        if (check.reply.empty()) return std::nullopt;
        return print_hex(check.reply, check.mask);
    };
    return std::move(row).says_default("any");
}

std::vector<Directive<UdpCheck>> udp_rows() {
    return {
        payload_row(),
        item_row<UdpCheck, &UdpCheck::require_reply>("require_reply", Flag{},
                                                     "Silence is bad too; else only a refusal (ICMP) is."),
        reply_row(),
        item_row<UdpCheck, &UdpCheck::min_length>("min_length", Number<std::uint16_t>{0, 65507},
                                                  "Bytes of a reply, at least."),
        item_row<UdpCheck, &UdpCheck::max_length>("max_length", Number<std::uint16_t>{0, 65507},
                                                  "Bytes of a reply, at most."),
    };
}

Directive<Check> tracker_row() {
    auto row = bare_row<Check>(
        "tracker", Shape::scalar, "the name of a tracker",
        "What the tracker says: up or down; with weight, a file's number times that is added to the server's weight.");
    row.read = [](Context& context, const Node& node, Check& check) -> std::optional<Mark> {
        if (!node.is_scalar() || std::ranges::find(context.trackers, node.text) == context.trackers.end()) {
            complain(context, "tracker", node, must_be("the name of a tracker", node, "describe it under 'trackers:'"));
            return std::nullopt;
        }
        check.kind = TrackerCheck{.tracker = node.text, .weight = 0, .reverse = false};
        return node.mark;
    };
    row.write = [](const Check& check, Secrets) -> std::optional<std::string> {
        const auto* const kind = std::get_if<TrackerCheck>(&check.kind);
        if (!kind) return std::nullopt;
        return yaml_text(kind->tracker);
    };
    return std::move(row).says_default(one_of_these);
}

Directive<Check> script_row() {
    auto row = bare_row<Check>("script", Shape::list, "a list: a program with its whole path, then its arguments",
                               "The program ends with status 0 within the timeout; no shell is in between.");
    row.read = [](Context& context, const Node& node, Check& check) -> std::optional<Mark> {
        auto words = read_words(context, "script", node, WordsAre::program);
        if (!words) return std::nullopt;
        check.kind = ScriptCheck{.script = std::move(*words), .user = {}, .dynamic = false};
        return node.mark;
    };
    row.write = [](const Check& check, Secrets) -> std::optional<std::string> {
        const auto* const kind = std::get_if<ScriptCheck>(&check.kind);
        if (!kind) return std::nullopt;
        return write_words(kind->script);
    };
    return std::move(row).says_default(one_of_these);
}

std::vector<Directive<Check>> kind_rows() {
    return {
        map_row<TcpCheck>("tcp", {}, "{}", "A connection can be made."),
        http_row("http", false, "Every request is answered well."),
        http_row("https", true, "The same through TLS."),
        map_row<SmtpCheck>("smtp",
                           {item_row<SmtpCheck, &SmtpCheck::helo>("helo", Text{check_host, "the name of a host"},
                                                                  "What this host calls itself.")},
                           "{helo: NAME}", "The banner is 220, HELO is answered with 250."),
        map_row<DnsCheck>(
            "dns",
            {item_row<DnsCheck, &DnsCheck::name>("name", Text{check_dns_name, "a domain name"}, "What is asked for."),
             item_row<DnsCheck, &DnsCheck::type>("type", dns_types, "The type of the record.")},
            "{name: NAME, type: TYPE}", "A query is answered with the code NOERROR."),
        map_row<UdpCheck>("udp", udp_rows(), "{payload: HEX, ...}", "A datagram is answered, or at least not refused."),
        map_row<PingCheck>("ping", {}, "{}", "An ICMP echo request is answered."),
        tracker_row(),
        script_row(),
    };
}

// ---- what belongs to one kind ------------------------------------------------------------------------------------------

/// Read after the kind, whatever the order in the file.
template <typename Kind, auto Field, typename Type>
Directive<Check> part_row(std::string_view word, Type type, std::string_view help, std::string_view default_text = {}) {
    auto row = bare_row<Check>(word, Shape::scalar, type.values(), help);
    row.read = [word, type](Context& context, const Node& node, Check& check) {
        return read_scalar(context, word, node, type, [&](auto value) {
            if (auto* const kind = std::get_if<Kind>(&check.kind)) kind->*Field = std::move(value);
        });
    };
    row.write = [type](const Check& check, Secrets) -> std::optional<std::string> {
        static const Kind plain{};
        const auto* const kind = std::get_if<Kind>(&check.kind);
        if (!kind || kind->*Field == plain.*Field) return std::nullopt;
        return type.print(kind->*Field);
    };
    const auto text = default_text.empty() ? '`' + type.print(Kind{}.*Field) + '`' : std::string{default_text};
    return std::move(row).says_default(text);
}

/// What every request of the check has that does not say otherwise; written with the requests.
template <auto Field>
Directive<Check> each_request_row(std::string_view word) {
    const auto* const of_one = &*std::ranges::find(http_request_directives(), word, &Directive<HttpRequest>::word);
    auto row = bare_row<Check>(word, of_one->shape, of_one->values, of_one->help);
    row.read = [of_one](Context& context, const Node& node, Check& check) -> std::optional<Mark> {
        HttpRequest given;
        const auto mark = of_one->read(context, node, given);
        auto* const http = std::get_if<HttpCheck>(&check.kind);
        if (!mark || !http) return mark;
        for (auto& request : http->requests)
            if (request.*Field == HttpRequest{}.*Field) request.*Field = given.*Field;
        return mark;
    };
    row.write = [](const Check&, Secrets) -> std::optional<std::string> { return std::nullopt; };
    return std::move(row).says_default("as in a request");
}

Directive<Check> headers_row() {
    auto row = bare_row<Check>("headers", Shape::list, "a list of \"Name: value\"", "Sent with every request.");
    row.read = [](Context& context, const Node& node, Check& check) -> std::optional<Mark> {
        auto words = read_words(context, "headers", node, WordsAre::words);
        if (!words) return std::nullopt;
        const auto fine = [](const std::string& header) {
            const auto colon = header.find(':');
            return colon != header.npos && colon > 0 && std::ranges::all_of(header, [](char c) {
                       return static_cast<unsigned char>(c) >= ' ' && c != 0x7f;
                   });
        };
        for (const auto& item : node.items)
            if (!fine(item.text)) {
                complain(context, "an entry of headers", item, must_be("\"Name: value\" on one line", item));
                return std::nullopt;
            }
        if (auto* const http = std::get_if<HttpCheck>(&check.kind)) http->headers = std::move(*words);
        return node.mark;
    };
    row.write = [](const Check& check, Secrets) -> std::optional<std::string> {
        const auto* const http = std::get_if<HttpCheck>(&check.kind);
        if (!http || http->headers.empty()) return std::nullopt;
        return write_words(http->headers);
    };
    return std::move(row).says_default("none");
}

std::vector<Directive<Check>> part_rows() {
    const Text file{check_path, "the path of a PEM file"}, host{check_host, "the name of a host"};
    return {
        each_request_row<&HttpRequest::status>("status"),
        each_request_row<&HttpRequest::digest>("digest"),
        each_request_row<&HttpRequest::body>("body"),
        part_row<HttpCheck, &HttpCheck::version>("version", http_versions, "Of HTTP; only with http and https."),
        part_row<HttpCheck, &HttpCheck::method>("method", Text{check_http_method, "an HTTP method like GET or HEAD"},
                                                "Of every request; only with http and https."),
        part_row<HttpCheck, &HttpCheck::host>("host", host, "What the Host header says; only with http and https.",
                                              "the address"),
        headers_row(),
        part_row<HttpCheck, &HttpCheck::server_name>(
            "server_name", host, "What TLS asks for (SNI) and the certificate must name; only with https.", "`host`"),
        part_row<HttpCheck, &HttpCheck::verify>("verify", Flag{},
                                                "The server's certificate has to be valid; only with https."),
        part_row<HttpCheck, &HttpCheck::ca_file>("ca_file", file, "Who may have signed it; only with https.",
                                                 "the system's"),
        part_row<HttpCheck, &HttpCheck::certificate_file>("certificate_file", file,
                                                          "This client's own; only with https.", "none"),
        part_row<HttpCheck, &HttpCheck::key_file>("key_file", file, "Its key; only with https.", "none"),
        part_row<TrackerCheck, &TrackerCheck::weight>("weight", Number<std::int32_t>{-1'000'000, 1'000'000},
                                                      "Of a tracker's number; only with tracker.",
                                                      "up or down alone count"),
        part_row<TrackerCheck, &TrackerCheck::reverse>("reverse", Flag{}, "The other way round; only with tracker."),
        part_row<ScriptCheck, &ScriptCheck::user>("user", Text{check_user, "the name of a user"},
                                                  "Who runs the script; only with script.", "whom the runner runs as"),
        part_row<ScriptCheck, &ScriptCheck::dynamic>(
            "dynamic", Flag{}, "A status of 2 to 255 is good, and 2 less is the server's weight; only with script."),
    };
}

// ---- what every kind has ---------------------------------------------------------------------------------------------

template <auto Field, typename Type>
Directive<Check> socket_row(std::string_view word, Type type, std::string_view help, std::string_view default_text) {
    auto row = bare_row<Check>(word, Shape::scalar, type.values(), help);
    row.read = [word, type](Context& context, const Node& node, Check& check) {
        return read_scalar(context, word, node, type, [&](auto value) { check.socket.*Field = std::move(value); });
    };
    row.write = [type](const Check& check, Secrets) -> std::optional<std::string> {
        static const ProbeSocket plain{};
        if (check.socket.*Field == plain.*Field) return std::nullopt;
        if constexpr (requires { (check.socket.*Field).has_value(); })
            return type.print(*(check.socket.*Field));
        else
            return type.print(check.socket.*Field);
    };
    return std::move(row).says_default(default_text);
}

std::vector<Directive<Check>> common_rows() {
    const Number<std::uint16_t> port{1, 65535};
    return {
        socket_row<&ProbeSocket::address>("connect", HostAddress{}, "Where the probe goes.", "the real server"),
        socket_row<&ProbeSocket::port>("connect_port", port, "The port that the probe goes to.", "the real server's"),
        socket_row<&ProbeSocket::source>("source", HostAddress{}, "Where the probe comes from.", "the kernel's choice"),
        socket_row<&ProbeSocket::source_port>(
            "source_port", port,
            "The port that it comes from; below 1024 the prober wants `probe-rights.conf` (`man holdfastd`).",
            "the kernel's choice"),
        socket_row<&ProbeSocket::interface>("interface", Text{check_link, "the name of a network interface"},
                                            "The probe leaves by it.", "the kernel's choice"),
        socket_row<&ProbeSocket::mark>(
            "mark", Number<std::uint32_t>{1, 4'294'967'295},
            "Firewall mark of the probe; the prober wants `probe-rights.conf` for it (`man holdfastd`).", "none"),
        item_row<Check, &Check::interval>("interval", Span{100ms, hour * 24}, "Time between two probes."),
        item_row<Check, &Check::timeout>("timeout", Span{10ms, hour}, "How long one probe may take."),
        item_row<Check, &Check::retry>("retry", Number<unsigned>{0, 1000}, "Bad probes in a row that are forgiven."),
        item_row<Check, &Check::retry_delay>("retry_delay", Span{10ms, hour},
                                             "Time from a forgiven probe to the next."),
        item_row<Check, &Check::rise>("rise", Number<unsigned>{1, 1000}, "Good probes in a row that make it up again."),
        item_row<Check, &Check::warmup>("warmup", Span{0s, hour}, "The first probe comes within this time, somewhere."),
    };
}

std::vector<Directive<Check>> rows() {
    auto all = kind_rows();
    for (auto part : {part_rows(), common_rows()})
        for (auto& row : part)
            all.push_back(std::move(row));
    return all;
}

} // namespace

std::span<const Directive<Check>> check_directives() {
    static const auto all = rows();
    return all;
}

} // namespace holdfast::config
