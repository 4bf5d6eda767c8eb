// holdfast-ipvs-tool: the load balancer's thread by hand, in the words of ipvsadm(8), for the tests and the bench.
//
//   holdfast-ipvs-tool < COMMANDS
//   -A|-E|-D|-a|-e|-d ..., --start-daemon|--stop-daemon ROLE ..., --set TCP FIN UDP      one more step
//   go      programs the steps so far as one batch:   failed INDEX ERRNO (a line each)   done NS
//   bare    the same with a loader that has every byte ready and only sends and receives   done NS
//   save    the table as `ipvsadm -Sn` has it
//   state   what is beside it: connections, statistics, daemons, timeouts                listed NS
//   all answers end with an empty line; a table that can't be read is `error ERRNO`

#include "kernel/ipvs.hpp"
#include "kernel/rtnl.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <iostream>
#include <map>
#include <poll.h>
#include <sstream>
#include <time.h>

namespace {

using namespace holdfast;

std::int64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

[[noreturn]] void die(const std::string& why) {
    std::fprintf(stderr, "holdfast-ipvs-tool: %s\n", why.c_str());
    std::exit(2);
}

template <typename Number = std::uint32_t>
Number number(const std::string& text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) die("no number: " + text);
    return value;
}

IpAddress address(const std::string& text) {
    const auto parsed = parse_ip(text);
    if (!parsed) die("no address: " + text);
    return *parsed;
}

/// "192.0.2.1:80", "[2001:db8::1]:80", without a port 0.
engine::IpvsEndpoint endpoint(const std::string& text) {
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string::npos) die("no address: " + text);
        const auto port = text.substr(end + 1);
        return {address(text.substr(1, end - 1)),
                port.empty() ? std::uint16_t{0} : number<std::uint16_t>(port.substr(1))};
    }
    const auto colon = text.rfind(':');
    if (colon == std::string::npos || text.find(':') != colon) return {address(text), 0};
    return {address(text.substr(0, colon)), number<std::uint16_t>(text.substr(colon + 1))};
}

std::uint8_t prefix_length(const std::string& mask) {
    const auto parsed = parse_ip(mask);
    if (!parsed) return number<std::uint8_t>(mask);
    int ones = 0;
    for (const auto byte : parsed->span())
        ones += std::popcount(byte);
    return static_cast<std::uint8_t>(ones);
}

/// One line's options with their values; those without have "".
class Line {
  public:
    explicit Line(const std::string& text) {
        std::istringstream words{text};
        std::string word, last;
        while (words >> word)
            if (word.starts_with('-'))
                options_[last = word];
            else
                options_[last] += (options_[last].empty() ? "" : " ") + word;
    }
    bool has(const std::string& option) const { return options_.contains(option); }
    std::string value(const std::string& option) const {
        const auto found = options_.find(option);
        return found == options_.end() ? "" : found->second;
    }
    template <typename Number>
    Number number_or(const std::string& option, Number fallback) const {
        return value(option).empty() ? fallback : number<Number>(value(option));
    }

  private:
    std::map<std::string, std::string> options_;
};

model::ServiceKey key_of(const Line& line) {
    if (line.has("-f"))
        return {.family = line.has("-6") ? Family::ipv6 : Family::ipv4, .mark = number(line.value("-f"))};
    for (const auto& [option, protocol] : {std::pair{"-t", model::Protocol::tcp}, std::pair{"-u", model::Protocol::udp},
                                           std::pair{"--sctp-service", model::Protocol::sctp}})
        if (line.has(option)) {
            const auto at = endpoint(line.value(option));
            return {at.address.family, 0, protocol, at.address, at.port};
        }
    die("no service");
}

engine::IpvsService service_of(const Line& line) {
    engine::IpvsService service{.key = key_of(line), .scheduler = "wlc", .engine = line.value("--pe")};
    if (line.has("-s")) service.scheduler = line.value("-s");
    service.prefix_length = line.has("-M") ? prefix_length(line.value("-M")) : full_prefix(service.key.family);
    if (line.has("-p")) {
        service.flags |= engine::ipvs_persistent;
        service.timeout = line.number_or<std::uint32_t>("-p", 300);
    }
    if (line.has("-o") || line.has("--ops")) service.flags |= engine::ipvs_one_packet;
    for (std::uint32_t i = 0; i < 3; ++i)
        if (line.value("-b").find(fmt::format("flag-{}", i + 1)) != std::string::npos) service.flags |= 0x08U << i;
    return service;
}

model::Forwarding forwarding_of(const Line& line) {
    using enum model::Forwarding::Method;
    model::Forwarding forwarding{line.has("-m") ? nat : line.has("-i") ? tunnel : dr, {}};
    if (line.value("--tun-type") == "gue") forwarding.tunnel.kind = model::TunnelKind::gue;
    if (line.value("--tun-type") == "gre") forwarding.tunnel.kind = model::TunnelKind::gre;
    forwarding.tunnel.port = line.number_or<std::uint16_t>("--tun-port", 0);
    if (line.has("--tun-csum")) forwarding.tunnel.checksum = model::TunnelChecksum::full;
    if (line.has("--tun-remcsum")) forwarding.tunnel.checksum = model::TunnelChecksum::remote;
    return forwarding;
}

engine::IpvsSync sync_of(const Line& line, const std::string& role) {
    engine::IpvsSync sync{.role = role == "master" ? engine::IpvsSync::Role::master : engine::IpvsSync::Role::backup,
                          .interface = line.value("--mcast-interface"),
                          .id = line.number_or<std::uint8_t>("--syncid", 0),
                          .max_length = line.number_or<std::uint16_t>("--sync-maxlen", 0),
                          .port = line.number_or<std::uint16_t>("--mcast-port", 0),
                          .ttl = line.number_or<std::uint8_t>("--mcast-ttl", 0)};
    if (line.has("--mcast-group")) sync.group = address(line.value("--mcast-group"));
    return sync;
}

engine::IpvsStep step_of(const std::string& text) {
    const Line line{text};
    if (line.has("-A") || line.has("-E")) return engine::PutService{service_of(line), line.has("-E")};
    if (line.has("-D")) return engine::RemoveService{key_of(line)};
    if (line.has("-a") || line.has("-e"))
        return engine::PutDestination{key_of(line),
                                      {.at = endpoint(line.value("-r")),
                                       .forwarding = forwarding_of(line),
                                       .weight = line.number_or<std::uint32_t>("-w", 1),
                                       .upper_threshold = line.number_or<std::uint32_t>("-x", 0),
                                       .lower_threshold = line.number_or<std::uint32_t>("-y", 0)},
                                      line.has("-e")};
    if (line.has("-d")) {
        const auto at = endpoint(line.value("-r"));
        return engine::RemoveDestination{key_of(line), at};
    }
    if (line.has("--start-daemon")) return engine::StartSync{sync_of(line, line.value("--start-daemon"))};
    if (line.has("--stop-daemon")) return engine::StopSync{sync_of(line, line.value("--stop-daemon"))};
    std::istringstream numbers{line.value("--set")};
    engine::IpvsTimeouts timeouts;
    if (!(numbers >> timeouts.tcp >> timeouts.tcp_fin >> timeouts.udp)) die("not understood: " + text);
    return engine::SetTimeouts{timeouts};
}

// ---- the other way ----------------------------------------------------------------------------------------------------

std::string text(const IpAddress& address, std::uint16_t port) {
    const auto* const form = address.family == Family::ipv6 ? "[{}]:{}" : "{}:{}";
    return fmt::format(fmt::runtime(form), to_string(address), port);
}

std::string text(const model::ServiceKey& key) {
    if (key.mark != 0) return fmt::format("-f {}{}", key.mark, key.family == Family::ipv6 ? " -6" : "");
    const auto* const option = key.protocol == model::Protocol::tcp   ? "-t"
                               : key.protocol == model::Protocol::udp ? "-u"
                                                                      : "--sctp-service";
    return fmt::format("{} {}", option, text(key.address, key.port));
}

std::string text(const engine::IpvsService& service) {
    auto line = fmt::format("-A {} -s {}", text(service.key), service.scheduler);
    if ((service.flags & engine::ipvs_persistent) != 0) {
        line += fmt::format(" -p {}", service.timeout);
        if (service.prefix_length != full_prefix(service.key.family))
            line += fmt::format(" -M {}", service.prefix_length);
    }
    if (!service.engine.empty()) line += " --pe " + service.engine;
    if ((service.flags & engine::ipvs_one_packet) != 0) line += " -o";
    std::string flags;
    for (std::uint32_t i = 0; i < 3; ++i)
        if ((service.flags & (0x08U << i)) != 0) flags += fmt::format("{}flag-{}", flags.empty() ? "" : ",", i + 1);
    return flags.empty() ? line : line + " -b " + flags;
}

std::string text(const model::Forwarding& forwarding) {
    using enum model::Forwarding::Method;
    if (forwarding.method != tunnel) return forwarding.method == nat ? "-m" : "-g";
    const auto& [kind, port, checksum] = forwarding.tunnel;
    std::string line = "-i";
    if (kind == model::TunnelKind::ipip) return line + " --tun-type ipip";
    line += kind == model::TunnelKind::gue ? fmt::format(" --tun-type gue --tun-port {}", port) : " --tun-type gre";
    constexpr std::array names{"no", "", "rem"};
    return line + fmt::format(" --tun-{}csum", names[static_cast<std::size_t>(checksum)]);
}

std::string text(const engine::IpvsDestination& destination) {
    auto line = fmt::format("-r {} {} -w {}", text(destination.at.address, destination.at.port),
                            text(destination.forwarding), destination.weight);
    if (destination.upper_threshold != 0) line += fmt::format(" -x {}", destination.upper_threshold);
    if (destination.lower_threshold != 0) line += fmt::format(" -y {}", destination.lower_threshold);
    return line;
}

std::string text(const engine::IpvsStatistics& is) {
    return fmt::format("{} {} {} {} {} rates {} {} {} {} {}", is.connections, is.packets_in, is.packets_out,
                       is.bytes_in, is.bytes_out, is.connection_rate, is.packet_rate_in, is.packet_rate_out,
                       is.byte_rate_in, is.byte_rate_out);
}

void save(const engine::IpvsListed& table) {
    for (const auto& listed : table.services) {
        std::puts(text(listed.service).c_str());
        for (const auto& destination : listed.destinations)
            fmt::print("-a {} {}\n", text(listed.service.key), text(destination.destination));
    }
}

void state(const engine::IpvsListed& table) {
    for (const auto& listed : table.services) {
        fmt::print("{} {}\n", text(listed.service.key), text(listed.statistics));
        for (const auto& [destination, active, inactive, persistent, statistics] : listed.destinations)
            fmt::print("{} -r {} connections {} {} {} {}\n", text(listed.service.key),
                       text(destination.at.address, destination.at.port), active, inactive, persistent,
                       text(statistics));
    }
    for (const auto& sync : table.sync)
        fmt::print("{} {} {} {} {} {} {}\n", sync.role == engine::IpvsSync::Role::master ? "master" : "backup",
                   sync.interface, sync.id, sync.max_length, sync.port, sync.ttl,
                   sync.group ? to_string(*sync.group) : "-");
    fmt::print("timeouts {} {} {}\n", table.timeouts.tcp, table.timeouts.tcp_fin, table.timeouts.udp);
}

/// Asks on this thread, answers on the other, one at a time.
class Conversation {
  public:
    kernel::Ipvs::Answer program(engine::ProgramIpvs batch) {
        thread_.program(std::move(batch));
        return wait();
    }
    engine::IpvsListed list() {
        thread_.list();
        return *std::get<engine::IpvsRead>(wait()).table;
    }

  private:
    kernel::Ipvs::Answer wait() {
        pollfd readable{answers_.fd(), POLLIN, 0};
        ::poll(&readable, 1, -1);
        return std::move(answers_.take().front());
    }
    Mailbox<kernel::Ipvs::Answer> answers_;
    kernel::Ipvs thread_{[this](kernel::Ipvs::Answer answer) { answers_.push(std::move(answer)); }};
};

void go(Conversation& ipvs, std::vector<engine::IpvsStep> steps) {
    const auto began = now_ns();
    const auto answer = ipvs.program({engine::IpvsBatchId{1}, std::move(steps)});
    const auto took = now_ns() - began;
    for (const auto& [index, error] : std::get<engine::IpvsDone>(answer).failed)
        fmt::print("failed {} {}\n", index, strerrorname_np(error));
    fmt::print("done {}\n", took);
}

/// One request alone; the family's number in its answer, or 0 when it is an error.
std::uint16_t ask_family(kernel::Channel& channel) {
    channel.send(kernel::encode_family_request(1));
    std::uint16_t family = 0;
    for (auto bytes = channel.receive(); bytes && !bytes->empty(); bytes = channel.receive())
        kernel::for_each_message(*bytes, [&](const nlmsghdr& message) {
            const auto generic = kernel::generic_message(message);
            if (const auto found = generic ? kernel::decode_family(*generic) : std::nullopt) family = *found;
        });
    return family;
}

/// What no loader can beat: the yardstick of the bench.
void load_bare(const std::vector<engine::IpvsStep>& steps) {
    constexpr std::size_t in_one_send = 256;
    auto channel = kernel::open_generic_netlink();
    if (!channel) die("no socket");
    const auto family = ask_family(**channel);
    std::vector<Bytes> sends;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (i % in_one_send == 0) sends.emplace_back();
        const bool is_last = (i + 1) % in_one_send == 0 || i + 1 == steps.size();
        put(sends.back(), kernel::encode(steps[i], {family, 2, is_last}));
    }
    const auto began = now_ns();
    for (const auto& bytes : sends) {
        if ((*channel)->send(bytes) != 0) die("the kernel does not take it");
        const auto answer = (*channel)->receive();
        if (!answer || answer->empty()) die("no answer");
        kernel::for_each_message(*answer, [](const nlmsghdr& message) {
            if (kernel::error_of(message) != 0) die("a step failed");
        });
    }
    fmt::print("done {}\n", now_ns() - began);
}

void show(Conversation& ipvs, void (*print)(const engine::IpvsListed&)) {
    const auto began = now_ns();
    const auto table = ipvs.list();
    const auto took = now_ns() - began;
    if (table.error != 0)
        fmt::print("error {}\n", strerrorname_np(table.error));
    else
        print(table);
    if (print == state) fmt::print("listed {}\n", took);
}

} // namespace

int main() {
    Conversation ipvs;
    std::vector<engine::IpvsStep> steps;
    for (std::string line; std::getline(std::cin, line);) {
        if (line.starts_with('-')) {
            steps.push_back(step_of(line));
            continue;
        }
        if (line == "go")
            go(ipvs, std::exchange(steps, {}));
        else if (line == "bare")
            load_bare(std::exchange(steps, {}));
        else if (line == "save" || line == "state")
            show(ipvs, line == "save" ? save : state);
        else
            die("not understood: " + line);
        std::puts("");
        std::fflush(stdout);
    }
    return 0;
}
