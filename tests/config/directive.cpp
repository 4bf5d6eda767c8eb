#include "config/directive.hpp"

#include "config/document.hpp"
#include "fixture.hpp"
#include "model/diff.hpp"

#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace holdfast::config::testing {
namespace {

TEST(Directives, PageIsUpToDate) {
    std::ifstream file{DIRECTIVES_PAGE};
    std::stringstream page;
    page << file.rdbuf();
    EXPECT_EQ(page.str(), directives_markdown()) << "run: ninja -C <build> docs-directives";
}

TEST(Directives, HaveOneRowAWordAndHelp) {
    std::set<std::string_view> words;
    for (const auto& row : instance_directives()) {
        EXPECT_TRUE(words.insert(row.word).second) << row.word;
        EXPECT_TRUE(row.help.ends_with('.')) << row.word;
        EXPECT_FALSE(row.values.empty()) << row.word;
    }
    words.clear();
    for (const auto& row : tracker_directives()) {
        EXPECT_TRUE(words.insert(row.word).second) << row.word;
        EXPECT_TRUE(row.help.ends_with('.')) << row.word;
    }
}

/// One other value of every scalar directive: what the row says of a reload is what the model's diff does.
TEST(Directives, SayAboutAReloadWhatTheModelDoes) {
    const std::map<std::string_view, std::string> other{{"interface", "eth1"},
                                                        {"vrid", "52"},
                                                        {"version", "2"},
                                                        {"priority", "101"},
                                                        {"advert_interval", "2s"},
                                                        {"preempt", "false"},
                                                        {"preempt_delay", "1s"},
                                                        {"prompt", "false"},
                                                        {"accept", "false"},
                                                        {"track_link", "false"},
                                                        {"startup_delay", "1s"},
                                                        {"boot_delay", "1s"},
                                                        {"handover_timeout", "1s"},
                                                        {"announce_refresh", "1s"},
                                                        {"announce_refresh_repeat", "2"},
                                                        {"announce_delay", "5s"},
                                                        {"announce_repeat", "5"},
                                                        {"announce_lower_delay", "5s"},
                                                        {"announce_lower_repeat", "5"},
                                                        {"announce_interval", "1us"},
                                                        {"announce_other_links", "all 1min"},
                                                        {"lease", "off"},
                                                        {"down_adverts", "5"},
                                                        {"checksum", "message"},
                                                        {"unicast", "{peers: [10.0.0.1]}"},
                                                        {"virtual_mac", "on"},
                                                        {"ipvlan", "on"},
                                                        {"source", "10.0.0.1"},
                                                        {"addresses", "[192.0.2.11/24]"},
                                                        {"excluded_addresses", "[192.0.2.11/24]"},
                                                        {"routes", "[{to: 10.1.0.0/16, type: blackhole}]"},
                                                        {"rules", "[{priority: 5, family: ipv4, table: 7}]"},
                                                        {"track", "[t]"},
                                                        {"multicast_group4", "224.0.0.77"},
                                                        {"multicast_group6", "\"ff02::77\""},
                                                        {"notify", "{all: [/bin/true]}"}};
    const std::string trackers = "trackers: {t: {process: t}}\n";
    const auto file = [&](std::map<std::string_view, std::string> values) {
        std::string text = "instances:\n  web:\n";
        values.try_emplace("interface", "eth0");
        values.try_emplace("vrid", "51");
        values.try_emplace("addresses", "[192.0.2.10/24]");
        for (const auto& [word, value] : values)
            text += "    " + std::string{word} + ": " + value + "\n";
        return good(text + trackers);
    };
    const auto before = file({});
    for (const auto& row : instance_directives()) {
        if (row.word == "authentication") continue; // needs version 2
        ASSERT_TRUE(other.contains(row.word)) << row.word;
        const auto diff = model::diff(before, file({{row.word, other.at(row.word)}}));
        ASSERT_EQ(diff.changed_instances.size(), 1U) << row.word;
        EXPECT_EQ(diff.changed_instances[0].how, row.reload) << row.word;
    }
}

TEST(Directives, ADefaultStandsInTheModelAndNowhereElse) {
    const auto instance = good(instance_with("")).instances[0];
    const model::Instance plain{.name = "web",
                                .interface = "eth0",
                                .vrid = Vrid{51},
                                .authentication = {},
                                .addresses = {*parse_prefix("192.0.2.10/24")},
                                .track = {}};
    EXPECT_EQ(instance, plain);
}

} // namespace
} // namespace holdfast::config::testing
