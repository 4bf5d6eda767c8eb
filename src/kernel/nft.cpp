#include "kernel/nft.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::kernel {
namespace {

constexpr std::array programs{"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"};
constexpr int patience_ms = 5000;
constexpr std::size_t longest_complaint = 200;

std::string set_of(std::string_view name, std::string_view type, Family family, const std::vector<IpAddress>& refused) {
    std::vector<std::string> elements;
    for (const auto& address : refused)
        if (address.family == family) elements.push_back(fmt::format(R"("{}")", to_string(address)));
    return fmt::format(R"({{"add":{{"set":{{"family":"inet","table":"holdfast","name":"{}","type":"{}"{}}}}}}})", name,
                       type, elements.empty() ? "" : fmt::format(R"(,"elem":[{}])", join(elements, ",")));
}

std::string rule(std::string_view match, std::string_view verdict) {
    return fmt::format(
        R"({{"add":{{"rule":{{"family":"inet","table":"holdfast","chain":"input","expr":[{{"match":{}}},{{"{}":null}}]}}}}}})",
        match, verdict);
}

std::string payload_match(std::string_view protocol, std::string_view field, std::string_view right) {
    return fmt::format(R"({{"op":"==","left":{{"payload":{{"protocol":"{}","field":"{}"}}}},"right":{}}})", protocol,
                       field, right);
}

/// A file in memory, so that neither side ever waits for the other.
Fd memory_file(const char* name) {
    return Fd{::memfd_create(name, MFD_CLOEXEC)};
}

struct Spawned {
    pid_t pid{-1};
    int error{ENOENT};
};

Spawned spawn(const Fd& input, const Fd& complaints) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_adddup2(&actions, input.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, complaints.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, complaints.get(), STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    sigset_t all{}, none{};
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    std::array<char*, 5> arguments{};
    std::array<std::string, 4> words{"nft", "-j", "-f", "-"};
    for (std::size_t i = 0; i < words.size(); ++i)
        arguments[i] = words[i].data();
    char* environment[] = {nullptr};
    Spawned result;
    for (const auto* program : programs) {
        result.error = ::posix_spawn(&result.pid, program, &actions, &attributes, arguments.data(), environment);
        if (result.error != ENOENT) break;
    }
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    return result;
}

/// False: it was killed, because it did not end in time.
bool wait_for(pid_t pid, int& status) {
    const Fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    pollfd end{pidfd.get(), POLLIN, 0};
    const bool ended = !pidfd || ::poll(&end, 1, patience_ms) > 0;
    if (!ended) ::kill(pid, SIGKILL);
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return ended;
}

std::string first_line(const Fd& complaints) {
    std::array<char, longest_complaint> text{};
    const auto size = ::pread(complaints.get(), text.data(), text.size(), 0);
    std::string line{text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
    line.resize(std::min(line.find('\n'), line.size()));
    for (auto& c : line)
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
    return line;
}

/// Empty, or what went wrong and its cure.
std::string run(const std::string& ruleset) {
    const Fd input = memory_file("nft-input"), complaints = memory_file("nft-complaints");
    if (!input || !complaints) return fmt::format("there is no memory for nft: {}", std::strerror(errno));
    if (::pwrite(input.get(), ruleset.data(), ruleset.size(), 0) != static_cast<ssize_t>(ruleset.size()))
        return fmt::format("there is no memory for nft: {}", std::strerror(errno));
    const auto child = spawn(input, complaints);
    if (child.error == ENOENT) return "there is no nft program: install nftables";
    if (child.error != 0) return fmt::format("nft can't be run: {}; install nftables", std::strerror(child.error));
    int status = 0;
    if (!wait_for(child.pid, status)) return fmt::format("nft did not end within {} s", patience_ms / 1000);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    const auto said = first_line(complaints);
    if (said.find("not permitted") != std::string::npos)
        return fmt::format("nft was refused ({}): the daemon needs CAP_NET_ADMIN", said);
    return fmt::format("nft failed ({})", said.empty() ? fmt::format("status {:#x}", status) : said);
}

} // namespace

std::string filter_table(const std::vector<IpAddress>& refused) {
    // Deleting what may not be there is an error, so it is added first.
    constexpr std::string_view table = R"({"table":{"family":"inet","name":"holdfast"}})";
    std::vector<std::string> commands{fmt::format(R"({{"add":{}}})", table), fmt::format(R"({{"delete":{}}})", table)};
    if (!refused.empty()) {
        commands.push_back(fmt::format(R"({{"add":{}}})", table));
        commands.push_back(set_of("refused4", "ipv4_addr", Family::ipv4, refused));
        commands.push_back(set_of("refused6", "ipv6_addr", Family::ipv6, refused));
        commands.emplace_back(
            R"({"add":{"chain":{"family":"inet","table":"holdfast","name":"input","type":"filter","hook":"input","prio":-1,"policy":"accept"}}})");
        commands.push_back(
            rule(payload_match("icmpv6", "type", R"({"set":["nd-neighbor-solicit","nd-neighbor-advert"]})"), "accept"));
        commands.push_back(rule(payload_match("ip", "daddr", R"("@refused4")"), "drop"));
        commands.push_back(rule(payload_match("ip6", "daddr", R"("@refused6")"), "drop"));
    }
    return fmt::format(R"({{"nftables":[{}]}})", join(commands, ","));
}

Nft::Nft(std::function<void(engine::Event)> report) : report_{std::move(report)} {
    thread_ = std::thread{[this] { loop(); }};
    pthread_setname_np(thread_.native_handle(), "nft");
}

Nft::~Nft() {
    requests_.push(Stop{});
    thread_.join();
}

/// Somebody may have taken the table away meanwhile: then it is made anew.
engine::FilterDone Nft::set_guard(const engine::SetFilter& wish) {
    const bool is_there = guard_ && !guard_->vrids.empty();
    engine::FilterDone done{wish.id, run(guard_table(wish.guard, is_there))};
    if (done.problem.empty() || !is_there) return done;
    return {wish.id, run(guard_table(wish.guard, false)), true};
}

/// What is as it was costs no child.
engine::FilterDone Nft::carry_out(const engine::SetFilter& wish) {
    engine::FilterDone done{wish.id, {}};
    if (refused_ != wish.refused) {
        done.problem = run(filter_table(wish.refused));
        refused_.reset();
        if (done.problem.empty()) refused_ = wish.refused;
    }
    if (!done.problem.empty() || guard_ == wish.guard) return done;
    done = set_guard(wish);
    guard_.reset();
    if (done.problem.empty()) guard_ = wish.guard;
    return done;
}

void Nft::loop() {
    for (;;) {
        pollfd wait{requests_.fd(), POLLIN, 0};
        ::poll(&wait, 1, -1);
        for (auto& request : requests_.take()) {
            const auto* wish = std::get_if<engine::SetFilter>(&request);
            if (!wish) return;
            report_(carry_out(*wish));
        }
    }
}

} // namespace holdfast::kernel
