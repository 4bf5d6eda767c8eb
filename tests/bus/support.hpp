// A world for the bus thread: a private dbus-daemon, a client on it, a hand-made NOTIFY_SOCKET, and the loop's side of
// the mailboxes. Nothing here is simulated but the loop itself.
#pragma once

#include "bus/thread.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <systemd/sd-bus.h>
#include <vector>

namespace holdfast::bus::test {

using namespace std::chrono_literals;
inline constexpr std::chrono::seconds patience = 5s;

/// Gone, with everything in it, at the end.
class TemporaryDirectory {
  public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    const std::filesystem::path path;
};

/// A dbus-daemon on a socket of its own, which DBUS_SYSTEM_BUS_ADDRESS names while this lives.
class PrivateBus {
  public:
    enum class Start { now, later };
    /// Everybody may do everything, unless there is a `policy`: the text of the rules.
    explicit PrivateBus(Start start = Start::now, const std::string& policy = {});
    ~PrivateBus();
    void start();
    void kill();                  ///< SIGKILL, and waits for its end
    void pause(int signal) const; ///< SIGSTOP, SIGCONT
    std::string address() const;

  private:
    TemporaryDirectory directory_;
    pid_t pid_{-1};
};

/// What a call gave back: the values as `signature value ...`, or the error's name and text.
struct Answer {
    std::string values, error, text;
};

/// A client with a connection of its own; collects the signals of org.holdfast1.
class Client {
  public:
    Client();
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Sent with each call: a person may be asked for a password.
    bool interactive{false};
    std::chrono::seconds patience{test::patience};

    /// Property as "s \"web\"", or its error's name.
    std::string get(const std::string& path, const std::string& interface, const std::string& property);
    std::string instance(const std::string& name, const std::string& property);
    /// Waits for the answer; `arguments` of types s and a{sv} with (name, u64) only.
    Answer call(const std::string& path, const std::string& interface, const std::string& method,
                std::optional<std::string> argument = {}, bool options = false,
                std::optional<std::pair<std::string, std::uint64_t>> option = {});
    /// Sends and does not wait; answers are counted by the error name ("" for success).
    void send_failover(const std::string& name);
    void send(const std::string& path, const std::string& interface, const std::string& method);
    std::vector<std::string> replies;

    /// Handles what comes until `done`, or fails the test after `patience`.
    bool until(const std::function<bool()>& done);
    void for_a_while(std::chrono::milliseconds time);
    /// "StateChanged /org/holdfast1/instance/web ssst \"backup\" ...", in the order of arrival.
    std::vector<std::string> signals;
    std::vector<std::string> signals_of(const std::string& member) const;

  private:
    sd_bus* bus_{nullptr};
};

/// A command of the shell, with what it wrote to both outputs.
struct Ended {
    std::string output;
    int status{};
};
Ended run(const std::string& command);
bool has(const std::string& text, const std::string& part);

/// In a child that has become nobody; the status that it ends with.
int as_nobody(const std::function<int()>& action);
/// A call of nobody's, answered or refused.
Answer nobody_asks(const std::function<Answer(Client&)>& call);

/// What Debian's /usr/share/dbus-1/system.conf starts from, then our policy as it is shipped; everybody may be polkit.
extern const std::string system_bus_policy;

inline constexpr const char* root = "/org/holdfast1";
inline constexpr const char* manager = "org.holdfast1.Manager";
inline constexpr const char* instance_interface = "org.holdfast1.Instance";
inline constexpr const char* tracker_interface = "org.holdfast1.Tracker";

/// The bus thread with this test as its loop.
class Daemon {
  public:
    explicit Daemon(std::filesystem::path private_socket = {});
    void post(ToBus message) { thread_->post(std::move(message)); }
    void publish(std::shared_ptr<const engine::Snapshot> snapshot) { post(Published{std::move(snapshot), facts}); }
    /// The first message of this kind that comes (again) and that `fits`; fails the test after `patience`.
    template <typename Kind>
    std::optional<Kind> next(const std::function<bool(const Kind&)>& fits = [](const Kind&) { return true; }) {
        std::unique_lock lock{mutex_};
        std::optional<Kind> found;
        came_.wait_for(lock, patience, [&] {
            for (auto at = messages_.begin(); at != messages_.end(); ++at) {
                const auto* kind = std::get_if<Kind>(&*at);
                if (!kind || !fits(*kind)) continue;
                found = *kind;
                messages_.erase(at);
                return true;
            }
            return false;
        });
        EXPECT_TRUE(found.has_value()) << "the loop was not told in time";
        return found;
    }
    template <typename Kind>
    std::size_t count() {
        const std::lock_guard lock{mutex_};
        return static_cast<std::size_t>(
            std::ranges::count_if(messages_, [](const auto& m) { return std::holds_alternative<Kind>(m); }));
    }
    /// Waits until the name is ours.
    bool on_bus();
    void stop() { thread_.reset(); }

    std::shared_ptr<NodeFacts> facts = std::make_shared<NodeFacts>();

  private:
    std::mutex mutex_;
    std::condition_variable came_;
    std::vector<ToLoop> messages_;
    std::unique_ptr<Thread> thread_;
};

/// A datagram socket that NOTIFY_SOCKET names while this lives.
class NotifySocket {
  public:
    NotifySocket();
    ~NotifySocket();
    /// The next datagram that contains `part`; others before it are dropped. Empty after `patience`.
    std::string next(const std::string& part);

  private:
    TemporaryDirectory directory_;
    int fd_{-1};
};

// ---- snapshots
// ----------------------------------------------------------------------------------------------------------

/// A backup of 10.0.0.12 with one address, priority 250, on eth0.
engine::InstanceView backup(const std::string& name);
engine::InstanceView master(const std::string& name);
std::shared_ptr<engine::Snapshot> snapshot(std::vector<engine::InstanceView> views,
                                           std::vector<engine::TrackerView> trackers = {});
/// Numbers `first` to `last` of `web`, from backup to master and back in turn.
void add_transitions(engine::Snapshot& snapshot, std::uint64_t first, std::uint64_t last);

} // namespace holdfast::bus::test
