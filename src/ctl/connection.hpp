// The daemon as the subcommands see it: a few calls that return values, and one exception for whatever went wrong.
// Everything of D-Bus stays in connection.cpp.
#pragma once

#include "base/time.hpp"

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace holdfast::ctl {

enum class Exit {
    ok = 0,
    failed = 1,
    usage = 2,
    not_running = 3,
    denied = 4,
    no_object = 5,
    invalid_config = 6,
    timeout = 124
};

/// What ends the program: the error's D-Bus name for programs, the text for people.
struct Failure : std::runtime_error {
    Failure(Exit code, std::string error_name, const std::string& text)
        : std::runtime_error{text}, exit{code}, name{std::move(error_name)} {}
    Exit exit;
    std::string name;
};
[[noreturn]] void usage(const std::string& text);

/// Called with each event of an instance, keys as in Describe() plus "Event".
using OnEvent = std::function<void(const nlohmann::ordered_json&)>;

inline constexpr const char* private_address = "unix:path=/run/holdfast/private";

/// Where the daemon is: by a D-Bus address, or on the system bus of another host ([USER@]HOST, by ssh(1)).
struct Whereabouts {
    std::string address, host;
    bool may_ask{true}; ///< for a password, at this terminal, when polkit wants one; never for another host
};

class Connection {
  public:
    /// Nothing given: the system bus, and where holdfastd is not there, its private socket.
    explicit Connection(const Whereabouts& where);
    ~Connection();

    /// Manager.Describe(): the whole node.
    nlohmann::ordered_json describe();
    std::string failover(const std::string& name, std::optional<Duration> hold);
    std::string takeover(const std::string& name, bool force);
    /// 0: the configured one again.
    std::string set_priority(const std::string& name, std::uint8_t priority);
    std::string announce(const std::string& name);
    std::vector<std::string> reload();
    void set_maintenance(bool on, const std::string& reason);
    /// A method of org.holdfast1.RealServer of the object at this path.
    std::string drain(const std::string& path, std::optional<Duration> timeout);
    std::string disable(const std::string& path);
    std::string enable(const std::string& path);
    std::string set_weight(const std::string& path, std::int32_t weight);
    std::string check_now(const std::string& path);
    /// Methods of org.holdfast1.VirtualServer of the object at this path.
    std::string add_server(const std::string& path, const std::string& name, const std::string& directives,
                           bool persistent);
    std::string remove_server(const std::string& path, const std::string& name);
    /// Subscribes before anything is asked, then calls `ready` and hands out events for ever.
    [[noreturn]] void watch(const OnEvent& on_event, const std::function<void()>& ready);

  private:
    struct Bus;
    std::unique_ptr<Bus> bus_;
};

} // namespace holdfast::ctl
