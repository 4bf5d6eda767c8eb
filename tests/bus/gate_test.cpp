// Who is let in, and what becomes of a call while polkit thinks. polkit is played by the test here, because a real one can't
// be made slow or dead at will; tests/netns/test_access.py holds the whole matrix against a real one.

#include "bus/access.hpp"
#include "support.hpp"

#include <atomic>
#include <csignal>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <mutex>
#include <regex>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace holdfast::bus::test {
namespace {

const std::string denied = "org.freedesktop.DBus.Error.AccessDenied",
                  wants_person = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
                  too_often = "org.freedesktop.DBus.Error.LimitsExceeded";

/// Answers as it is told to, and keeps what it was asked: "CALLER ACTION FLAGS TICKET OBJECT METHOD".
class StandIn {
  public:
    enum class Says : std::uint8_t { yes, no, challenge, yes_to_a_person, nothing };

    explicit StandIn(Says says) : says_{says}, thread_{[this] { run(); }} {
        while (!ready_)
            std::this_thread::sleep_for(1ms);
    }
    ~StandIn() { end(); }
    StandIn(const StandIn&) = delete;
    StandIn& operator=(const StandIn&) = delete;

    void end() {
        quit_ = true;
        if (thread_.joinable()) thread_.join();
    }
    std::vector<std::string> asked() {
        const std::lock_guard lock{mutex_};
        return asked_;
    }
    std::vector<std::string> cancelled() {
        const std::lock_guard lock{mutex_};
        return cancelled_;
    }
    bool until(const std::function<bool(StandIn&)>& done) {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (!done(*this)) {
            if (std::chrono::steady_clock::now() > end) return false;
            std::this_thread::sleep_for(1ms);
        }
        return true;
    }
    /// Answers everybody who still waits.
    void relent() { relent_ = true; }

  private:
    void run() {
        sd_bus* bus = nullptr;
        ASSERT_GE(sd_bus_open_system(&bus), 0);
        const auto on_call = [](sd_bus_message* call, void* self, sd_bus_error*) {
            return static_cast<StandIn*>(self)->called(call);
        };
        sd_bus_add_filter(bus, nullptr, on_call, this);
        ASSERT_GE(sd_bus_request_name(bus, "org.freedesktop.PolicyKit1", 0), 0);
        ready_ = true;
        while (!quit_) {
            if (relent_.exchange(false))
                for (auto* call : std::exchange(held_, {})) {
                    answer(call, true, false);
                    sd_bus_message_unref(call);
                }
            if (sd_bus_process(bus, nullptr) == 0) sd_bus_wait(bus, 5'000);
        }
        for (auto* call : held_)
            sd_bus_message_unref(call);
        ::shutdown(sd_bus_get_fd(bus), SHUT_RDWR); // a forked caller still has the descriptor
        sd_bus_close_unref(bus);
    }
    static void answer(sd_bus_message* call, bool authorized, bool challenge) {
        sd_bus_reply_method_return(call, "(bba{ss})", authorized ? 1 : 0, challenge ? 1 : 0, 0);
        sd_bus_flush(sd_bus_message_get_bus(call));
    }
    int called(sd_bus_message* call) {
        constexpr auto authority = "org.freedesktop.PolicyKit1.Authority";
        if (sd_bus_message_is_method_call(call, authority, "CancelCheckAuthorization") > 0) {
            const char* ticket = nullptr;
            sd_bus_message_read(call, "s", &ticket);
            const std::lock_guard lock{mutex_};
            cancelled_.emplace_back(ticket);
            return 1;
        }
        if (sd_bus_message_is_method_call(call, authority, "CheckAuthorization") <= 0) return 0;
        const char *kind = nullptr, *key = nullptr, *caller = nullptr, *action = nullptr, *ticket = nullptr;
        const char *object_key = nullptr, *object = nullptr, *method_key = nullptr, *method = nullptr;
        std::uint32_t flags = 0;
        EXPECT_GT(sd_bus_message_read(call, "(sa{sv})sa{ss}us", &kind, 1, &key, "s", &caller, &action, 2, &object_key,
                                      &object, &method_key, &method, &flags, &ticket),
                  0);
        EXPECT_EQ(fmt::format("{} {} {} {}", kind, key, object_key, method_key), "system-bus-name name object method");
        {
            const std::lock_guard lock{mutex_};
            asked_.push_back(fmt::format("{} {} {} {} {} {}", caller, action, flags, ticket, object, method));
        }
        switch (says_) {
        case Says::yes: answer(call, true, false); break;
        case Says::no: answer(call, false, false); break;
        case Says::challenge: answer(call, false, true); break;
        case Says::yes_to_a_person: flags == 0 ? answer(call, false, true) : hold(call); break;
        case Says::nothing: hold(call); break;
        }
        return 1;
    }
    void hold(sd_bus_message* call) { held_.push_back(sd_bus_message_ref(call)); }

    const Says says_;
    std::atomic<bool> ready_{false}, quit_{false}, relent_{false};
    std::mutex mutex_;
    std::vector<std::string> asked_, cancelled_;
    std::vector<sd_bus_message*> held_;
    std::thread thread_;
};

struct Gate : testing::Test {
    PrivateBus bus{PrivateBus::Start::now, system_bus_policy};
    Daemon daemon;
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, to own the name and to become another user";
        daemon.publish(snapshot({master("web")}));
        ASSERT_TRUE(daemon.on_bus());
    }
    static Answer reload(Client& client) { return client.call(root, manager, "Reload", {}, true); }
    static Answer get(Client& client) { return {client.instance("web", "State"), {}, {}}; }
    /// The first refusal of this kind; what flows in meanwhile may let a few calls through.
    static Answer until_limited(const std::function<Answer()>& call) {
        for (int i = 0; i < 100; ++i)
            if (auto answer = call(); answer.error == too_often) return answer;
        ADD_FAILURE() << "never limited";
        return {};
    }
    std::size_t asked_of_loop() { return daemon.count<ReloadRequested>() + daemon.count<CommandReceived>(); }
};

/// A process of nobody's that calls, and ends when it is told to.
class Caller {
  public:
    explicit Caller(bool interactive) : pid_{::fork()} {
        if (pid_ != 0) return;
        as_nobody([interactive] {
            Client client;
            client.interactive = interactive;
            client.call(root, manager, "Reload", {}, true);
            return 0;
        });
        ::_exit(0);
    }
    ~Caller() { end(); }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;
    void end() {
        if (pid_ <= 0) return;
        std::ifstream children{fmt::format("/proc/{0}/task/{0}/children", pid_)};
        for (pid_t child = 0; children >> child;)
            ::kill(child, SIGKILL);
        ::waitpid(std::exchange(pid_, -1), nullptr, 0);
    }

  private:
    pid_t pid_;
};

TEST_F(Gate, AsksPolkitAndLetsInWhomItAllows) {
    StandIn polkit{StandIn::Says::yes};
    std::thread loop{[&] {
        if (const auto request = daemon.next<ReloadRequested>()) daemon.post(ReloadEnded{{request->command}, true, {}});
    }};
    const auto answer = nobody_asks(reload);
    loop.join();
    EXPECT_EQ(answer.values, "as []") << answer.error << answer.text;
    ASSERT_EQ(polkit.asked().size(), 1U);
    EXPECT_TRUE(has(polkit.asked().front(), " org.holdfast1.reload 0  /org/holdfast1 org.holdfast1.Manager.Reload"))
        << polkit.asked().front();
}

TEST_F(Gate, RefusesWhomItDenies) {
    StandIn polkit{StandIn::Says::no};
    const auto answer = nobody_asks([](Client& client) {
        return client.call("/org/holdfast1/instance/web", instance_interface, "Failover", {}, true);
    });
    EXPECT_EQ(answer.error, denied);
    EXPECT_EQ(answer.text, "org.holdfast1.Instance.Failover needs org.holdfast1.manage-state, and polkit denies it to "
                           "user 65534: allow it by a rule (example: /usr/share/doc/holdfast/holdfast.rules), or run "
                           "it with sudo");
    EXPECT_EQ(nobody_asks(get).values, "s master") << "looking is free";
    EXPECT_EQ(polkit.asked().size(), 1U);
    EXPECT_EQ(asked_of_loop(), 0U);
}

TEST_F(Gate, SaysThatAPersonMustBeAskedWhereTheCallDoesNotLetIt) {
    StandIn polkit{StandIn::Says::challenge};
    const auto answer = nobody_asks(reload);
    EXPECT_EQ(answer.error, wants_person);
    EXPECT_TRUE(has(answer.text, "needs org.holdfast1.reload, for which polkit wants a password")) << answer.text;
    EXPECT_EQ(polkit.asked().size(), 1U);
}

TEST_F(Gate, HasAPersonAskedWhereTheCallLetsIt) {
    StandIn polkit{StandIn::Says::yes_to_a_person};
    std::thread person{[&] {
        EXPECT_TRUE(polkit.until([](auto& each) { return each.asked().size() == 2; }));
        polkit.relent();
        if (const auto request = daemon.next<ReloadRequested>()) daemon.post(ReloadEnded{{request->command}, true, {}});
    }};
    const auto answer = nobody_asks([](Client& client) {
        client.interactive = true;
        return reload(client);
    });
    person.join();
    EXPECT_EQ(answer.values, "as []") << answer.text;
    EXPECT_TRUE(has(polkit.asked().back(), " org.holdfast1.reload 1 holdfast-")) << polkit.asked().back();
}

TEST_F(Gate, IsForRootAloneWherePolkitIsNotThere) {
    const auto answer = nobody_asks(reload);
    EXPECT_EQ(answer.error, denied);
    EXPECT_TRUE(has(answer.text, "org.holdfast1.Manager.Reload needs org.holdfast1.reload, and polkit does not decide "
                                 "it ("))
        << answer.text;
    EXPECT_TRUE(answer.text.ends_with("), so only root may: run it with sudo")) << answer.text;
    Client client;
    client.send_failover("web");
    EXPECT_TRUE(client.until([&] { return daemon.count<CommandReceived>() == 1; })) << "root may";
}

TEST_F(Gate, NeverAsksAboutRoot) {
    StandIn polkit{StandIn::Says::no};
    Client client;
    client.send_failover("web");
    EXPECT_TRUE(client.until([&] { return daemon.count<CommandReceived>() == 1; }));
    EXPECT_TRUE(polkit.asked().empty());
}

TEST_F(Gate, WaitsForASlowPolkitWithoutKeepingAnybodyElseAndGivesUp) {
    StandIn polkit{StandIn::Says::nothing};
    const auto begin = std::chrono::steady_clock::now();
    std::thread others{[&] {
        EXPECT_TRUE(polkit.until([](auto& each) { return each.asked().size() == 1; }));
        Client client;
        client.send_failover("web");
        EXPECT_TRUE(client.until([&] { return daemon.count<CommandReceived>() == 1; }));
        EXPECT_EQ(client.instance("web", "State"), "s master");
        EXPECT_LT(std::chrono::steady_clock::now() - begin, 4s) << "meanwhile";
    }};
    const auto answer = nobody_asks([](Client& client) {
        client.patience = 20s;
        return reload(client);
    });
    others.join();
    EXPECT_EQ(answer.error, denied);
    EXPECT_TRUE(has(answer.text, "polkit does not decide it (Method call timed out), so only root may")) << answer.text;
    polkit.relent(); // its answer comes too late
    EXPECT_EQ(nobody_asks(get).values, "s master");
    EXPECT_EQ(daemon.count<ReloadRequested>(), 0U);
}

TEST_F(Gate, DoesNotWaitForAPolkitThatDied) {
    StandIn polkit{StandIn::Says::nothing};
    std::thread killer{[&] {
        EXPECT_TRUE(polkit.until([](auto& each) { return each.asked().size() == 1; }));
        polkit.end();
    }};
    const auto begin = std::chrono::steady_clock::now();
    const auto answer = nobody_asks(reload);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 4s);
    killer.join();
    EXPECT_EQ(answer.error, denied);
    EXPECT_TRUE(has(answer.text, "polkit does not decide it (")) << answer.text;
    EXPECT_EQ(asked_of_loop(), 0U);
}

TEST_F(Gate, ForgetsACallerThatLeavesAndTakesThePromptBack) {
    StandIn polkit{StandIn::Says::yes_to_a_person};
    Caller caller{true};
    ASSERT_TRUE(polkit.until([](auto& each) { return each.asked().size() == 2; }));
    caller.end();
    ASSERT_TRUE(polkit.until([](auto& each) { return !each.cancelled().empty(); }));
    EXPECT_TRUE(has(polkit.asked().back(), " 1 " + polkit.cancelled().front() + " ")) << polkit.cancelled().front();
    polkit.relent(); // yes, after all
    EXPECT_EQ(nobody_asks(get).values, "s master");
    EXPECT_EQ(asked_of_loop(), 0U) << "nobody has asked for it any more";
}

TEST_F(Gate, ForgetsWhatWaitsWhenTheBusEnds) {
    auto polkit = std::make_unique<StandIn>(StandIn::Says::yes_to_a_person);
    Caller caller{true};
    ASSERT_TRUE(polkit->until([](auto& each) { return each.asked().size() == 2; }));
    bus.kill();
    polkit.reset();
    ASSERT_TRUE(daemon.next<Missing>([](const Missing& each) { return each.what == "bus" && !each.text.empty(); }));
    bus.start();
    ASSERT_TRUE(daemon.on_bus());
    StandIn again{StandIn::Says::no};
    EXPECT_EQ(nobody_asks(reload).error, denied);
    EXPECT_EQ(asked_of_loop(), 0U);
}

TEST_F(Gate, LetsOneUserFillOnlyItsShareOfPolkit) {
    StandIn polkit{StandIn::Says::yes_to_a_person};
    std::vector<std::unique_ptr<Caller>> callers;
    for (int i = 0; i < 8; ++i)
        callers.push_back(std::make_unique<Caller>(true));
    ASSERT_TRUE(polkit.until([](auto& each) { return each.asked().size() == 16; }));
    const auto answer = nobody_asks(reload);
    EXPECT_EQ(answer.error, too_often);
    EXPECT_TRUE(has(answer.text, "too many calls of user 65534 wait for polkit")) << answer.text;
    callers.pop_back();
    ASSERT_TRUE(polkit.until([](auto& each) { return each.cancelled().size() == 1; }));
    EXPECT_EQ(nobody_asks(reload).error, wants_person) << "there is room again";
}

TEST_F(Gate, LimitsHowOftenACallerMayAskForSomething) {
    Client client;
    for (int i = 0; i < 400; ++i)
        client.send_failover("web");
    ASSERT_TRUE(client.until([&] { return client.replies.size() >= 400 - 64; }));
    const auto refused = std::ranges::count(client.replies, too_often);
    EXPECT_GE(refused, 100) << "128 at once, and 32 a second";
    EXPECT_LE(refused, 400 - 128);
    EXPECT_EQ(daemon.count<CommandReceived>(), 64U) << "the others were told that these wait";
    const auto answer = until_limited([&] { return client.call(root, manager, "Reload", {}, true); });
    EXPECT_TRUE(
        std::regex_match(answer.text, std::regex{"too many calls, the last of them org.holdfast1.Manager.Reload: "
                                                 "this caller may go on in [0-9]+ ms"}))
        << answer.text;
    EXPECT_EQ(client.instance("web", "State"), "s master") << "looking costs nothing";
    Client other;
    EXPECT_EQ(other.call(root, manager, "Reload", {}, true).error, "org.holdfast1.Error.Busy") << "nor is it another's";
}

TEST_F(Gate, LimitsWhatIsAskedAboutTheWholeNode) {
    Client client;
    for (int i = 0; i < 16; ++i)
        EXPECT_EQ(client.call(root, manager, "Describe").error, "");
    until_limited([&] { return client.call(root, manager, "Describe"); });
    until_limited([&] { return client.call(root, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"); });
    EXPECT_EQ(client.call("/org/holdfast1/instance/web", instance_interface, "Describe").error, "");
    EXPECT_EQ(Client{}.call(root, manager, "Describe").error, "");
}

TEST_F(Gate, HoldsNoLongArguments) {
    std::thread loop{[&] {
        if (const auto command = daemon.next<CommandReceived>())
            daemon.post(engine::Reply{command->command.id, engine::CommandError::no_such_instance, ""});
    }};
    EXPECT_EQ(Client{}.call(root, manager, "Failover", std::string(4000, 'x'), true).error,
              "org.holdfast1.Error.NoSuchInstance");
    loop.join();
    const auto answer = Client{}.call(root, manager, "Failover", std::string(1 << 20, 'x'), true);
    EXPECT_EQ(answer.error, too_often);
    EXPECT_EQ(answer.text, "org.holdfast1.Manager.Failover: its arguments are longer than 4096 bytes, which no call of "
                           "it needs");
}

TEST_F(Gate, ServesCallersInTurn) {
    std::vector<engine::InstanceView> many;
    for (int i = 0; i < 2000; ++i)
        many.push_back(backup(fmt::format("web{}", i)));
    daemon.publish(snapshot(std::move(many)));
    Client other;
    ASSERT_EQ(other.instance("web7", "State"), "s backup");
    Client greedy;                // now, so that no signals of all these stand before its answers
    for (int i = 0; i < 100; ++i) // as many as a bus lets wait, each of them long
        greedy.send("/org/holdfast1/instance", "org.freedesktop.DBus.Introspectable", "Introspect");
    std::atomic<std::size_t> answered{0};
    std::thread reader{[&] { EXPECT_TRUE(greedy.until([&] { return (answered = greedy.replies.size()) == 100; })); }};
    while (answered < 20) // now all of them are there
        std::this_thread::sleep_for(1ms);
    EXPECT_EQ(other.instance("web7", "State"), "s backup");
    EXPECT_LT(answered, 80U) << "who asks for one thing does not wait for all of another's";
    reader.join();
    EXPECT_EQ(std::ranges::count(greedy.replies, ""), 100) << "and all are served";
}

TEST_F(Gate, IsClosedForWhatHasNoRow) {
    Client client;
    EXPECT_EQ(client.call(root, manager, "Explode").error, "org.freedesktop.DBus.Error.UnknownMethod");
    EXPECT_EQ(client.call(root, "org.freedesktop.DBus.Properties", "Set", "org.holdfast1.Manager\nState").error, denied)
        << "by the bus";
}

TEST(Access, HasARowForEachMethodOfTheInterfacesAndNoOther) {
    std::vector<std::string> wanted, there;
    for (const auto& file : std::filesystem::directory_iterator{SOURCE_ROOT "/dbus"}) {
        if (file.path().extension() != ".xml") continue;
        std::ifstream stream{file.path()};
        const std::string text{std::istreambuf_iterator<char>{stream}, {}};
        const std::regex member{
            R"re(<(method) name="(\w+)"|<(property) name="(\w+)" type="[^"]+" access="[a-z]*write")re"};
        for (std::sregex_iterator at{text.begin(), text.end(), member}, end; at != end; ++at)
            wanted.push_back((*at)[1].matched ? fmt::format("{}.{}", file.path().stem().string(), (*at)[2].str())
                                              : fmt::format("set {}.{}", file.path().stem().string(), (*at)[4].str()));
    }
    for (const auto& rule : rules())
        if (!rule.interface.starts_with("org.freedesktop.DBus"))
            there.push_back(fmt::format("{}{}.{}", rule.is_property ? "set " : "", rule.interface, rule.member));
    std::ranges::sort(wanted);
    std::ranges::sort(there);
    EXPECT_EQ(there, wanted);
    EXPECT_GT(wanted.size(), 15U);
}

TEST(Access, NamesTheActionsThatPolkitKnows) {
    std::ifstream stream{SOURCE_ROOT "/dbus/org.holdfast1.policy"};
    const std::string text{std::istreambuf_iterator<char>{stream}, {}};
    for (const auto& rule : rules())
        EXPECT_TRUE(rule.action == Action::look || has(text, fmt::format("<action id=\"{}\">", action_id(rule.action))))
            << rule.member;
}

} // namespace
} // namespace holdfast::bus::test
