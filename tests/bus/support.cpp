#include "support.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <grp.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace holdfast::bus::test {
namespace {

/// The rest of the message (or of the container that is entered) as text.
std::string render(sd_bus_message* message) {
    std::string text;
    for (;;) {
        char type = 0;
        const char* contents = nullptr;
        if (sd_bus_message_peek_type(message, &type, &contents) <= 0) return text;
        const std::string inner = contents ? contents : "";
        if (!text.empty()) text += ' ';
        if (std::strchr("ar(ve{", type) != nullptr) {
            sd_bus_message_enter_container(message, type, inner.c_str());
            const auto body = render(message);
            sd_bus_message_exit_container(message);
            text += type == 'a' ? '[' + body + ']' : type == 'v' ? '<' + body + '>' : '(' + body + ')';
            continue;
        }
        union {
            std::uint8_t y;
            int b;
            std::int32_t i;
            std::uint32_t u;
            std::uint64_t t;
            const char* s;
        } value{};
        sd_bus_message_read_basic(message, type, &value);
        switch (type) {
        case 'y': text += std::to_string(value.y); break;
        case 'b': text += value.b != 0 ? "true" : "false"; break;
        case 'i': text += std::to_string(value.i); break;
        case 'u': text += std::to_string(value.u); break;
        case 't': text += std::to_string(value.t); break;
        default: text += std::string{value.s}; break;
        }
    }
}

std::string with_signature(sd_bus_message* message) {
    const std::string signature = sd_bus_message_get_signature(message, 1);
    const auto values = render(message);
    return values.empty() ? signature : signature + ' ' + values;
}

} // namespace

TemporaryDirectory::TemporaryDirectory()
    : path{[] {
          char name[] = "/tmp/holdfast-bus-XXXXXX";
          const char* made = ::mkdtemp(name);
          EXPECT_NE(made, nullptr);
          ::chmod(name, 0755); // other users' clients come here too
          return std::string{name};
      }()} {}

TemporaryDirectory::~TemporaryDirectory() {
    std::filesystem::remove_all(path);
}

// ---- the bus
// ------------------------------------------------------------------------------------------------------------

PrivateBus::PrivateBus(Start when, const std::string& policy) {
    constexpr const char* open = R"(<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy>)";
    std::ofstream{directory_.path / "bus.conf"} << fmt::format(
        R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>custom</type><listen>{}</listen><auth>EXTERNAL</auth>{}</busconfig>)",
        address(), policy.empty() ? open : policy);
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", address().c_str(), 1);
    if (when == Start::now) start();
}

PrivateBus::~PrivateBus() {
    if (pid_ > 0) kill();
    ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

std::string PrivateBus::address() const {
    return "unix:path=" + (directory_.path / "bus").string();
}

void PrivateBus::start() {
    const auto config = "--config-file=" + (directory_.path / "bus.conf").string();
    std::string arguments[] = {"dbus-daemon", config, "--nofork", "--print-address=1"};
    char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), arguments[3].data(), nullptr};
    int ready[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ready[1], STDOUT_FILENO);
    // As root without CAP_SYS_RESOURCE it complains at each start that it may not raise a limit.
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (directory_.path / "bus.log").c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int error = ::posix_spawnp(&pid_, argv[0], &actions, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ready[1]);
    ASSERT_EQ(error, 0) << "dbus-daemon can't be started: apt-get install dbus";
    char line[512];
    EXPECT_GT(::read(ready[0], line, sizeof line), 0) << "dbus-daemon did not come up";
    ::close(ready[0]);
}

void PrivateBus::kill() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    std::filesystem::remove(directory_.path / "bus");
}

void PrivateBus::pause(int signal) const {
    ::kill(pid_, signal);
}

// ---- the client
// ---------------------------------------------------------------------------------------------------------

Client::Client() {
    EXPECT_GE(sd_bus_open_system(&bus_), 0);
    const auto on_signal = [](sd_bus_message* message, void* data, sd_bus_error*) {
        static_cast<Client*>(data)->signals.push_back(fmt::format(
            "{} {} {}", sd_bus_message_get_member(message), sd_bus_message_get_path(message), with_signature(message)));
        return 0;
    };
    EXPECT_GE(sd_bus_add_match(bus_, nullptr, "type='signal',path_namespace='/org/holdfast1'", on_signal, this), 0);
}

Client::~Client() {
    sd_bus_close_unref(bus_);
}

std::string Client::get(const std::string& path, const std::string& interface, const std::string& property) {
    auto answer = call(path, "org.freedesktop.DBus.Properties", "Get", interface + '\n' + property);
    return answer.error.empty() ? answer.values : answer.error;
}

std::string Client::instance(const std::string& name, const std::string& property) {
    return get("/org/holdfast1/instance/" + name, instance_interface, property);
}

Answer Client::call(const std::string& path, const std::string& interface, const std::string& method,
                    std::optional<std::string> argument, bool options,
                    std::optional<std::pair<std::string, std::uint64_t>> option) {
    sd_bus_message* message = nullptr;
    EXPECT_GE(sd_bus_message_new_method_call(bus_, &message, "org.holdfast1", path.c_str(), interface.c_str(),
                                             method.c_str()),
              0);
    if (argument) {
        const auto line = argument->find('\n'); // two strings in one argument, for Get
        sd_bus_message_append(message, "s", argument->substr(0, line).c_str());
        if (line != std::string::npos) sd_bus_message_append(message, "s", argument->substr(line + 1).c_str());
    }
    if (options && option)
        sd_bus_message_append(message, "a{sv}", 1, option->first.c_str(), "t", option->second);
    else if (options)
        sd_bus_message_append(message, "a{sv}", 0);
    sd_bus_message_set_allow_interactive_authorization(message, interactive ? 1 : 0);
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message* reply = nullptr;
    Answer answer;
    const auto usec = static_cast<std::uint64_t>(std::chrono::microseconds{patience}.count());
    if (sd_bus_call(bus_, message, usec, &error, &reply) < 0) {
        answer = {{}, error.name ? error.name : "", error.message ? error.message : ""};
    } else {
        const std::string signature = sd_bus_message_get_signature(reply, 1);
        const char* contents = nullptr;
        char type = 0;
        sd_bus_message_peek_type(reply, &type, &contents);
        if (signature == "v") { // a property: its own type in front
            sd_bus_message_enter_container(reply, 'v', contents);
            answer.values = std::string{contents} + ' ' + render(reply);
        } else {
            answer.values = with_signature(reply);
        }
    }
    sd_bus_error_free(&error);
    sd_bus_message_unref(reply);
    sd_bus_message_unref(message);
    return answer;
}

namespace {

int on_reply(sd_bus_message* reply, void* client, sd_bus_error*) {
    const auto* error = sd_bus_message_get_error(reply);
    static_cast<Client*>(client)->replies.emplace_back(error ? error->name : "");
    return 0;
}

} // namespace

void Client::send_failover(const std::string& name) {
    EXPECT_GE(sd_bus_call_method_async(bus_, nullptr, "org.holdfast1", root, manager, "Failover", on_reply, this,
                                       "sa{sv}", name.c_str(), 0),
              0);
}

void Client::send(const std::string& path, const std::string& interface, const std::string& method) {
    EXPECT_GE(sd_bus_call_method_async(bus_, nullptr, "org.holdfast1", path.c_str(), interface.c_str(), method.c_str(),
                                       on_reply, this, ""),
              0);
    sd_bus_flush(bus_);
}

bool Client::until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!done()) {
        if (std::chrono::steady_clock::now() > end) return false;
        if (sd_bus_process(bus_, nullptr) == 0) sd_bus_wait(bus_, 20'000);
    }
    return true;
}

void Client::for_a_while(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    until([&] { return std::chrono::steady_clock::now() > end; });
}

std::vector<std::string> Client::signals_of(const std::string& member) const {
    std::vector<std::string> result;
    std::ranges::copy_if(signals, std::back_inserter(result),
                         [&](const auto& text) { return text.starts_with(member + ' '); });
    return result;
}

Ended run(const std::string& command) {
    Ended ended;
    auto* const pipe = ::popen((command + " 2>&1").c_str(), "r");
    std::array<char, 4096> part{};
    while (const auto size = std::fread(part.data(), 1, part.size(), pipe))
        ended.output.append(part.data(), size);
    ended.status = WEXITSTATUS(::pclose(pipe));
    return ended;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

int as_nobody(const std::function<int()>& action) {
    const auto child = ::fork();
    if (child == 0) {
        if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(99);
        ::_exit(action());
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Answer nobody_asks(const std::function<Answer(Client&)>& call) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    EXPECT_EQ(as_nobody([&] {
                  Client client;
                  const auto answer = call(client);
                  const auto text = answer.error + '\n' + answer.text + '\n' + answer.values;
                  return ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1;
              }),
              0);
    ::close(ends[1]);
    char text[4096];
    const auto size = ::read(ends[0], text, sizeof text);
    ::close(ends[0]);
    const std::string all{text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
    const auto first = all.find('\n'), second = all.find('\n', first + 1);
    if (second == std::string::npos) return {{}, "no answer", all};
    return {all.substr(second + 1), all.substr(0, first), all.substr(first + 1, second - first - 1)};
}

const std::string system_bus_policy = fmt::format(R"(<policy context="default"><allow user="*"/><deny own="*"/>
<deny send_type="method_call"/><allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/><allow receive_type="method_return"/>
<allow receive_type="error"/><allow receive_type="signal"/><allow send_destination="org.freedesktop.DBus"/>
<allow own="org.freedesktop.PolicyKit1"/><allow send_destination="org.freedesktop.PolicyKit1"/></policy>
<include>{}/dbus/org.holdfast1.conf</include>)",
                                                  SOURCE_ROOT);

// ---- the loop's side
// ----------------------------------------------------------------------------------------------------

Daemon::Daemon(std::filesystem::path private_socket) {
    const auto hear = [this](ToLoop message) {
        const std::lock_guard lock{mutex_};
        messages_.push_back(std::move(message));
        came_.notify_all();
    };
    thread_ = std::make_unique<Thread>(hear, std::move(private_socket));
}

bool Daemon::on_bus() {
    return next<Missing>([](const Missing& missing) { return missing.what == "bus" && missing.text.empty(); })
        .has_value();
}

NotifySocket::NotifySocket() : fd_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = (directory_.path / "notify").string();
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
}

NotifySocket::~NotifySocket() {
    ::unsetenv("NOTIFY_SOCKET");
    ::close(fd_);
}

std::string NotifySocket::next(const std::string& part) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < end) {
        pollfd wait{fd_, POLLIN, 0};
        if (::poll(&wait, 1, 100) != 1) continue;
        char text[4096];
        const auto size = ::recv(fd_, text, sizeof text, 0);
        const std::string datagram{text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
        if (datagram.find(part) != std::string::npos) return datagram;
    }
    return {};
}

// ---- snapshots
// ----------------------------------------------------------------------------------------------------------

engine::InstanceView backup(const std::string& name) {
    model::Instance model;
    model.name = name;
    model.interface = "eth0";
    model.vrid = Vrid{51};
    model.priority = Priority{250};
    model.family = name.ends_with("/ipv6") ? Family::ipv6 : Family::ipv4;
    model.addresses = {*parse_prefix(model.family == Family::ipv6 ? "2001:db8::10/64" : "192.0.2.10/24")};
    model.track = {{"nginx", std::nullopt}};
    engine::InstanceView view;
    view.addresses = {{model.addresses.front(), "absent", model.interface}};
    view.model = std::make_shared<const model::Instance>(std::move(model));
    view.state = "backup";
    view.reason_code = "higher_priority";
    view.reason = "a master of higher order was heard";
    view.since = Time{100s};
    view.priority = Priority{250};
    view.master = engine::PeerView{*parse_ip("10.0.0.12"), Priority{254}, 3, 1s, Time{200s}};
    view.peers = {*view.master};
    view.source = parse_ip("10.0.0.11");
    view.master_down = 3020ms;
    view.lease = 5s;
    return view;
}

engine::InstanceView master(const std::string& name) {
    auto view = backup(name);
    view.state = "master";
    view.reason_code = "master_silent";
    view.reason = "the master fell silent";
    view.since = Time{300s};
    view.addresses.front().state = "assigned";
    view.master.reset();
    return view;
}

std::shared_ptr<engine::Snapshot> snapshot(std::vector<engine::InstanceView> views,
                                           std::vector<engine::TrackerView> trackers) {
    auto result = std::make_shared<engine::Snapshot>();
    result->node_name = "lb1";
    for (auto& view : views)
        result->instances.push_back(std::make_shared<const engine::InstanceView>(std::move(view)));
    for (auto& view : trackers)
        result->trackers.push_back(std::make_shared<const engine::TrackerView>(std::move(view)));
    result->transitions = std::make_shared<std::vector<std::shared_ptr<const engine::Transition>>>();
    return result;
}

void add_transitions(engine::Snapshot& snapshot, std::uint64_t first, std::uint64_t last) {
    auto list = *snapshot.transitions;
    for (auto number = first; number <= last; ++number) {
        const bool up = number % 2 == 1;
        list.push_back(std::make_shared<const engine::Transition>(engine::Transition{
            number, "web", up ? "backup" : "master", up ? "master" : "backup", up ? "master_silent" : "higher_priority",
            "", Priority{250}, Time{std::chrono::seconds{number}}}));
    }
    snapshot.transitions =
        std::make_shared<const std::vector<std::shared_ptr<const engine::Transition>>>(std::move(list));
}

} // namespace holdfast::bus::test
