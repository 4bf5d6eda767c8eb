// Virtual servers that nginx balances, as the engine runs them: what is written, when, and what stays.
#include "servers_node.hpp"

namespace holdfast::engine {
namespace {

using testing::Node;
using testing::real;

TEST(Upstreams, FollowTheHealthOfTheirServers) {
    Node node;
    node.add_nginx("web", {real("s1", 2), real("s2")});
    node.load();
    node.run(10ms);
    EXPECT_EQ(node.files["web"], "web: s1=2 s2=1") << "nginx starts with a file, if it has none";
    node.probe("web/s1", true);
    node.probe("web/s2", false);
    node.run(2s);
    EXPECT_EQ(node.files["web"], "web: s1=2 s2=down");
    EXPECT_EQ(node.state("web"), "serving");
    node.probe("web/s2", true);
    node.run(2s);
    EXPECT_EQ(node.files["web"], "web: s1=2 s2=1");
    node.command({.what = ServerCommand::What::disable, .server = "web", .real = "s1"});
    node.run(2s);
    EXPECT_EQ(node.files["web"], "web: s1=down s2=1");
    EXPECT_TRUE(node.steps.empty()) << "the kernel's table has nothing to do with it";
    EXPECT_EQ(node.lists, 0) << "nor is it looked for";
}

TEST(Upstreams, AreWrittenAtMostOnceASecond) {
    Node node;
    node.add_nginx("web", {real("s1"), real("s2")});
    node.add_nginx("shop", {real("s3")});
    node.load();
    for (int i = 0; i < 100; ++i) {
        node.probe("web/s1", i % 2 == 0);
        node.probe("shop/s3", i % 2 != 0);
        node.probe("web/s2", true);
        node.run(50ms);
    }
    for (std::size_t i = 1; i < node.written.size(); ++i)
        EXPECT_GE(node.written[i] - node.written[i - 1], 1s);
    EXPECT_GE(node.written.size(), 5U);
    node.run(2s);
    EXPECT_EQ(node.files["web"], "web: s1=down s2=1") << "the last word is written";
    EXPECT_EQ(node.files["shop"], "shop: s3=1");
}

TEST(Upstreams, KeepTheFileOfTheProcessBeforeThemUntilThereAreVerdicts) {
    Node node;
    node.files["web"] = "web: s1=1 s2=down";
    node.add_nginx("web", {real("s1"), real("s2")});
    node.load();
    node.run(3s);
    EXPECT_EQ(node.files["web"], "web: s1=1 s2=down");
    node.probe("web/s1", true);
    node.run(3s);
    EXPECT_EQ(node.files["web"], "web: s1=1 s2=down") << "s2 has no verdict yet";
    node.run(10s);
    EXPECT_EQ(node.files["web"], "web: s1=1 s2=1") << "one that never comes holds nothing up";
}

TEST(Upstreams, HaveTheSorryServerAsABackupOrWhenItIsItsTurn) {
    Node node;
    for (const auto* name : {"backup", "hash"}) {
        auto& server = node.add_nginx(name, {real("s1")});
        server.sorry_server = real("s9", 1, false);
        server.sorry_server->name = "sorry";
        if (server.name == "hash") server.nginx->balance = model::Upstream::Balance::ip_hash;
    }
    node.load();
    node.probe("backup/s1", true);
    node.probe("hash/s1", true);
    node.run(2s);
    EXPECT_EQ(node.files["backup"], "backup: s1=1 sorry=1b");
    EXPECT_EQ(node.files["hash"], "hash: s1=1") << "ip_hash knows no backup";
    node.probe("backup/s1", false);
    node.probe("hash/s1", false);
    node.run(2s);
    EXPECT_EQ(node.files["backup"], "backup: s1=down sorry=1b");
    EXPECT_EQ(node.files["hash"], "hash: s1=down sorry=1");
    EXPECT_EQ(node.state("hash"), "sorry");
}

TEST(Upstreams, AreDegradedWhileNginxRefusesThemAndTriedAgain) {
    Node node;
    node.nginx_refuses = "nginx.service was not reloaded (failed)";
    node.add_nginx("web", {real("s1", 1, false)});
    node.load();
    node.run(10ms);
    EXPECT_EQ(node.state("web"), "degraded");
    EXPECT_EQ(node.view("web").problem, "nginx.service was not reloaded (failed)");
    node.run(20s);
    EXPECT_EQ(node.written.size(), 5U) << "every five seconds";
    node.nginx_refuses.clear();
    node.run(6s);
    EXPECT_EQ(node.state("web"), "serving");
}

TEST(Upstreams, DrainWithTheReload) {
    Node node;
    node.add_nginx("web", {real("s1"), real("s2")}).drain_timeout = 1h;
    node.load();
    node.probe("web/s1", true);
    node.probe("web/s2", true);
    node.run(2s);
    node.answers = false;
    node.command({.what = ServerCommand::What::drain, .server = "web", .real = "s2"});
    node.run(2s);
    EXPECT_EQ(node.files["web"], "web: s1=1 s2=down");
    EXPECT_TRUE(node.view("web").reals[1]->in_table) << "nginx has not read it yet";
    node.answers = true;
    node.deliver(*std::exchange(node.held, std::nullopt));
    EXPECT_FALSE(node.view("web").reals[1]->in_table);
    node.config_.virtual_servers[0].real_servers.pop_back();
    node.load();
    node.run(2s);
    EXPECT_EQ(node.files["web"], "web: s1=1");
}

TEST(Upstreams, DrainWithTheReloadThatKnowsOfIt) {
    Node node;
    node.add_nginx("web", {real("s1"), real("s2")});
    node.load();
    node.probe("web/s1", true);
    node.probe("web/s2", false);
    node.run(2s);
    node.answers = false;
    node.probe("web/s2", true);
    node.run(2s); // the file that has s2 again is under way
    node.command({.what = ServerCommand::What::drain, .server = "web", .real = "s2"});
    node.deliver(*std::exchange(node.held, std::nullopt));
    node.run(2s); // the next one is under way
    EXPECT_EQ(node.files["web"], "web: s1=1 s2=down");
    EXPECT_TRUE(node.view("web").reals[1]->in_table) << "nginx sends requests there";
    node.answers = true;
    node.deliver(*std::exchange(node.held, std::nullopt));
    EXPECT_FALSE(node.view("web").reals[1]->in_table);
}

TEST(Upstreams, ChangeTheirKindByAReload) {
    Node node;
    auto& server = node.add("web", {real("s1", 1, false)});
    node.load();
    node.run(10ms);
    EXPECT_EQ(node.shown(), "192.0.2.10 wlc: 10.0.0.1=1");
    server.services.clear();
    server.real_servers[0].port = 80;
    server.nginx = model::Upstream{.file = "web.conf"};
    node.load();
    node.run(2s);
    EXPECT_EQ(node.shown(), "");
    EXPECT_EQ(node.files["web"], "web: s1=1");
}

} // namespace
} // namespace holdfast::engine
