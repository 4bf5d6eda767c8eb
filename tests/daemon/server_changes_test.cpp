// Real servers that are added and removed while the daemon runs: what is kept where, and that a refusal leaves every file as it was.

#include "daemon/server_changes.hpp"

#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <sys/stat.h>

namespace holdfast::daemon {
namespace {

namespace fs = std::filesystem;
using model::ChangeRefusal;
using model::Origin;

struct Changes : testing::Test {
    fs::path place = [] {
        std::string name = (fs::temp_directory_path() / "holdfast-test-XXXXXX").string();
        return fs::path{::mkdtemp(name.data())};
    }();
    Options options;
    LoadedConfig in_force;

    void SetUp() override {
        options.config = place / "holdfast.yaml";
        options.runtime_directory = place / "run";
        options.state_directory = place / "lib";
        options.node_name = "lb1";
        write(options.config,
              "instances: {}\nvirtual_servers:\n  web:\n    kind: nginx\n    quorum: 2\n    real_servers:\n"
              "      s1: {address: 10.0.0.1:80}\n      s2: {address: 10.0.0.2:80}\n");
        start();
    }
    void TearDown() override { fs::remove_all(place); }

    static void write(const fs::path& path, const std::string& text) {
        fs::create_directories(path.parent_path());
        std::ofstream{path} << text;
    }
    /// Every file and its text.
    std::map<std::string, std::string> files() const {
        std::map<std::string, std::string> result;
        for (const auto& entry : fs::recursive_directory_iterator{place}) {
            std::ostringstream text;
            if (entry.is_regular_file()) text << std::ifstream{entry.path()}.rdbuf();
            result[entry.path().string()] = text.str();
        }
        return result;
    }
    void start() {
        in_force = load_config(options);
        ASSERT_TRUE(in_force.config);
    }
    bus::ServerChanged change(const model::ServerChange& wanted) {
        auto result = change_servers(options, in_force, {7, wanted});
        EXPECT_EQ(result.change->command, 7U);
        EXPECT_EQ(result.config != nullptr, !result.change->refusal);
        auto changed = *result.change;
        if (result.config) in_force = std::move(result);
        return changed;
    }
    bus::ServerChanged add(const std::string& name, bool persistent = false, const std::string& directives = "") {
        return change(
            {"web", name, directives.empty() ? "{address: 10.0.0." + name.substr(1) + ":80}" : directives, persistent});
    }
    /// What concerns the overlays.
    std::vector<std::string> warnings() const {
        auto result = in_force.problems;
        std::erase_if(result, [](const auto& text) { return text.find("servers.yaml") == std::string::npos; });
        return result;
    }
    std::string servers() const {
        std::string result;
        for (const auto& real : in_force.config->virtual_servers.at(0).real_servers)
            result += fmt::format("{}{}:{}", result.empty() ? "" : " ", real.name, model::name(real.origin));
        return result;
    }
};

TEST_F(Changes, OutliveTheDaemonAndOnlyThePersistentOnesAReboot) {
    EXPECT_EQ(add("s3").text, "web/s3 is added until this host starts again");
    EXPECT_EQ(add("s4", true).text, "web/s4 is added");
    const std::string all = "s1:file s2:file s3:runtime s4:persistent";
    EXPECT_EQ(servers(), all);
    struct stat info{};
    ASSERT_EQ(::stat((place / "run/servers.yaml").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0600U);
    const auto hash = in_force.hash;
    start();
    EXPECT_EQ(servers(), all);
    EXPECT_EQ(in_force.hash, hash);
    EXPECT_EQ(warnings(), std::vector<std::string>{});
    fs::remove_all(place / "run");
    start();
    EXPECT_EQ(servers(), "s1:file s2:file s4:persistent");
}

TEST_F(Changes, KeepForGoodWhatWasAddedForNow) {
    add("s3");
    add("s4");
    EXPECT_EQ(add("s3", true).text, "web/s3 stays when this host starts again");
    EXPECT_EQ(servers(), "s1:file s2:file s3:persistent s4:runtime");
    EXPECT_EQ(files().at(place / "run/servers.yaml").find("s3"), std::string::npos);
    EXPECT_EQ(add("s4", true, "{address: 10.0.0.4:80, weight: 7}").text, "web/s4 stays when this host starts again");
    EXPECT_EQ(in_force.config->virtual_servers.at(0).real_servers.at(3).weight, 7U) << "as it is said now";
    EXPECT_FALSE(fs::exists(place / "run/servers.yaml"));
    start();
    EXPECT_EQ(servers(), "s1:file s2:file s3:persistent s4:persistent");
    EXPECT_EQ(warnings(), std::vector<std::string>{});
}

TEST_F(Changes, CanBeKeptOnlyAsALineThatIsRight) {
    add("s3");
    const auto before = files();
    EXPECT_EQ(add("s3", true, "{address: 10.0.0.2:80}").refusal, ChangeRefusal::invalid) << "the address of s2";
    EXPECT_EQ(add("s3").refusal, ChangeRefusal::exists);
    EXPECT_EQ(files(), before);
    EXPECT_EQ(servers(), "s1:file s2:file s3:runtime");
}

TEST_F(Changes, AreTakenBackAndLeaveNoFile) {
    const auto before = in_force.hash;
    for (const bool persistent : {false, true}) {
        add("s3", persistent);
        add("s4", persistent);
        EXPECT_NE(in_force.hash, before);
        EXPECT_EQ(change({"web", "s3", {}}).text, "web/s3 is removed");
        EXPECT_FALSE(change({"web", "s4", {}}).refusal);
        EXPECT_EQ(servers(), "s1:file s2:file");
        EXPECT_EQ(in_force.hash, before);
        EXPECT_FALSE(fs::exists(place / (persistent ? "lib/servers.yaml" : "run/servers.yaml")));
    }
}

TEST_F(Changes, TakeNothingElseAlong) {
    write(options.config, "instances: {");
    EXPECT_FALSE(add("s3").refusal) << "a file that somebody just writes is read by a reload alone";
    EXPECT_EQ(servers(), "s1:file s2:file s3:runtime");
}

TEST_F(Changes, GiveWayToTheFile) {
    add("s3", true);
    write(options.config, "instances: {}\nvirtual_servers:\n  web: {kind: nginx, real_servers: {s1: {address: "
                          "10.0.0.1:80}, s3: {address: 10.0.0.33:80}}}\n");
    start();
    EXPECT_EQ(servers(), "s1:file s3:file");
    ASSERT_EQ(warnings().size(), 1U);
    EXPECT_NE(warnings()[0].find("holdfastctl remove web/s3 takes it out here"), std::string::npos);
    EXPECT_EQ(change({"web", "s3", {}}).text, "web/s3 is the configuration's alone");
    EXPECT_EQ(servers(), "s1:file s3:file");
    start();
    EXPECT_EQ(warnings(), std::vector<std::string>{});
}

TEST_F(Changes, NeverKeepTheDaemonFromStarting) {
    add("s4");
    for (const std::string broken :
         {"", "virtual_servers: [", "\xff", "virtual_servers: {web: {real_servers: {s3: {}}}}\n"}) {
        write(place / "lib/servers.yaml", broken);
        start();
        EXPECT_EQ(servers(), "s1:file s2:file s4:runtime");
        ASSERT_EQ(warnings().size(), 1U) << broken;
        EXPECT_NE(warnings()[0].find("warning: "), std::string::npos);
    }
    fs::remove(place / "lib/servers.yaml");
    fs::create_directory(place / "lib/servers.yaml");
    start();
    EXPECT_EQ(servers(), "s1:file s2:file s4:runtime");
    EXPECT_EQ(warnings(),
              std::vector<std::string>{(place / "lib/servers.yaml").string() +
                                       ": warning: it is not a regular file; what was added there is left out\n"});
}

TEST_F(Changes, ThatAreRefusedChangeNothing) {
    add("s3");
    struct Case {
        model::ServerChange change;
        ChangeRefusal why;
        std::string text;
    };
    const auto added = [](std::string name, std::string directives) {
        return model::ServerChange{"web", std::move(name), std::move(directives)};
    };
    const std::string fine = "{address: 10.0.0.9:80}";
    for (const auto& [wanted, why, text] : std::vector<Case>{
             {{"shop", "s9", fine}, ChangeRefusal::no_such_server, "there is no virtual server 'shop'"},
             {added("s1", fine), ChangeRefusal::exists,
              "there is a real server web/s1 already, at 10.0.0.1: give this one another name"},
             {added("s3", fine), ChangeRefusal::exists, "there is a real server web/s3 already, at 10.0.0.3"},
             {added("", fine), ChangeRefusal::invalid, "cannot be the name of a real server"},
             {added("../x", fine), ChangeRefusal::invalid, "cannot be the name of a real server"},
             {added("s9\n      s10: {address: 10.0.0.10}\n      s11", fine), ChangeRefusal::invalid,
              "cannot be the name of a real server"},
             {added("s9", "{}"), ChangeRefusal::invalid, "real server 's9' has no address"},
             {added("s9", "{address: nonsense}"), ChangeRefusal::invalid, "run/servers.yaml:6:21: error: address "},
             {added("s9", "{address: 10.0.0.9:80, wieght: 2}"), ChangeRefusal::invalid, "did you mean 'weight'?"},
             {added("s9", "{address: 10.0.0.1:80}"), ChangeRefusal::invalid, "has 10.0.0.1:80 twice: 's1' and 's9'"},
             {added("s9", "{address: 10.0.0.9:80}\n      s10: {address: 10.0.0.10:80}"), ChangeRefusal::invalid,
              "goes on after the end of its YAML document"},
             {added("s9", "{address: 10.0.0.9:80, notify_up: [/bin/sh]}"), ChangeRefusal::invalid,
              "notify_up runs a program"},
             {added("s9", "{address: 10.0.0.9:80, notify: {fifo: /run/x}}"), ChangeRefusal::invalid,
              "notify is the configuration's"},
             {{"web", "s1", {}},
              ChangeRefusal::in_file,
              "holdfast.yaml:7:7: drain or disable it, or take it out there and reload"},
             {{"web", "s9", {}}, ChangeRefusal::no_such_server, "virtual server 'web' has no real server 's9'"},
             {{"shop", "s9", {}}, ChangeRefusal::no_such_server, "there is no virtual server 'shop'"}}) {
        const auto before = files();
        const auto refused = change(wanted);
        ASSERT_EQ(refused.refusal, why) << text << " but: " << refused.text;
        EXPECT_NE(refused.text.find(text), std::string::npos) << refused.text;
        EXPECT_EQ(files(), before) << text;
    }
    EXPECT_EQ(servers(), "s1:file s2:file s3:runtime");
}

TEST_F(Changes, AreRefusedWhereTheyCanNotBeKept) {
    write(place / "lib", "in the way");
    EXPECT_EQ(add("s3", true).refusal, ChangeRefusal::failed);
    EXPECT_EQ(servers(), "s1:file s2:file");
    EXPECT_FALSE(add("s4").refusal) << "the other place is there";
    write(place / "run/servers.yaml", "virtual_servers: [");
    const auto before = files();
    const auto refused = add("s5");
    EXPECT_EQ(refused.refusal, ChangeRefusal::failed);
    EXPECT_NE(refused.text.find("run/servers.yaml is broken, and what stands there would be lost: mend it\n"),
              std::string::npos);
    EXPECT_EQ(files(), before);
}

TEST_F(Changes, AreBounded) {
    std::string text = "virtual_servers:\n  web:\n    real_servers:\n";
    for (std::size_t i = 0; i < most_added; ++i)
        text += fmt::format("      t{}: {{address: 10.1.{}.{}:80}}\n", i, i / 250, i % 250 + 1);
    write(place / "run/servers.yaml", text);
    start();
    EXPECT_EQ(in_force.config->virtual_servers[0].real_servers.size(), most_added + 2);
    const auto refused = add("s3");
    EXPECT_EQ(refused.refusal, ChangeRefusal::limit);
    EXPECT_FALSE(add("s3", true).refusal);
}

} // namespace
} // namespace holdfast::daemon
