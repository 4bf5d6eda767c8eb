// Real servers that were added while the daemon ran: what comes beside the user's file, what is left out and why, and the text
// of their files there and back.
#include "fixture.hpp"

#include "config/overlay_text.hpp"

#include <algorithm>

namespace holdfast::config::testing {
namespace {

using model::Origin;

const std::string nginx =
    "instances: {}\nvirtual_servers:\n  web: {kind: nginx, real_servers: {s1: {address: 10.0.0.1:80}}}\n";
const std::string directors =
    "instances: {}\nvirtual_servers:\n  web: {address: 192.0.2.1:80, protocol: tcp, forwarding: dr, "
    "real_servers: {s1: {address: 10.0.0.1, host: lb2}}}\n";

Request with(const std::string& overlay, const std::string& file = nginx, Origin origin = Origin::runtime) {
    auto result = request(file);
    result.files.push_back({"servers.yaml", overlay, origin});
    return result;
}
std::string overlay_of(const std::string& reals) {
    return "virtual_servers:\n  web:\n    real_servers:\n      " + reals + "\n";
}
/// "s1 s3:runtime": who works for web, and whose idea it was.
std::string servers(const Loaded& loaded) {
    std::string result;
    for (const auto& real : loaded.config.virtual_servers.at(0).real_servers)
        result += (result.empty() ? "" : " ") + real.name +
                  (real.origin == Origin::file ? "" : ":" + std::string{name(real.origin)});
    return result;
}
std::string warnings(const Loaded& loaded) {
    std::string result;
    for (const auto& left_out : loaded.left_out)
        result += render(as_warning(left_out));
    return result;
}

struct Case {
    std::string name, file, overlay, servers, warning; ///< a part of it, empty: there is none
};
class Overlay : public ::testing::TestWithParam<Case> {};

TEST_P(Overlay, NeverMakesAValidFileInvalid) {
    const auto loaded = load(with(GetParam().overlay, GetParam().file));
    ASSERT_TRUE(loaded) << render(loaded.error());
    EXPECT_EQ(servers(*loaded), GetParam().servers);
    if (GetParam().warning.empty())
        EXPECT_EQ(warnings(*loaded), "");
    else
        EXPECT_NE(warnings(*loaded).find(GetParam().warning), std::string::npos) << warnings(*loaded);
}

INSTANTIATE_TEST_SUITE_P(
    Overlays, Overlay,
    ::testing::Values(
        Case{"Fits", nginx, overlay_of("s3: {address: 10.0.0.3:80, weight: 2}"), "s1 s3:runtime", ""},
        Case{"OnlyComments", nginx, "# nobody\n", "s1", ""}, Case{"Nobody", nginx, "virtual_servers: {}\n", "s1", ""},
        Case{
            "TheFileWins", nginx, overlay_of("s1: {address: 10.0.0.9:80}"), "s1",
            "servers.yaml:4:7: warning: real server 's1' stands at holdfast.yaml:3:37 too, which counts; web/s1, which "
            "was added, is left out\n      s1: {address: 10.0.0.9:80}\n      ^\n"
            "  hint: holdfastctl remove web/s1 takes it out here\n"},
        Case{"TheVirtualServerIsGone", nginx, "virtual_servers: {shop: {real_servers: {s3: {address: 10.0.0.3:80}}}}\n",
             "s1", "warning: there is no virtual server 'shop'; shop/s3, which was added, is left out\n"},
        Case{"OneIsWrong", nginx,
             overlay_of("s3: {address: 10.0.0.3:80, weight: many}\n      s4: {address: 10.0.0.4:80}"), "s1 s4:runtime",
             "servers.yaml:4:42: warning: weight must be "},
        Case{"OneHasNoAddress", nginx, overlay_of("s3: {weight: 1}"), "s1", "has no address; web/s3, which was added"},
        Case{"OneHasAnAddressOfTheFile", nginx, overlay_of("a: {address: 10.0.0.1:80}"), "s1",
             "servers.yaml:4:7: warning: virtual server 'web' has 10.0.0.1:80 twice: 'a' and 's1'; web/a, which"},
        Case{"AllIsWrongTogether", directors, overlay_of("s3: {address: 10.0.0.3, host: lb1}"), "s1",
             "which was added, is left out"},
        Case{"NoYaml", nginx, "virtual_servers: {web: [\n", "s1", "; what was added there is left out\n"},
        Case{"Empty", nginx, "", "s1", "the file is empty; what was added there is left out"},
        Case{"SomethingElseIsInIt", nginx, "instances: {}\n" + overlay_of("s3: {address: 10.0.0.3:80}"),
             "s1 s3:runtime", "servers.yaml:1:1: warning: 'instances' has no place here; this is left out"},
        Case{"MoreOfAVirtualServerIsInIt", nginx,
             "virtual_servers: {web: {quorum: 7, real_servers: {s3: {address: 10.0.0.3:80}}}}\n", "s1 s3:runtime",
             "'quorum' has no place here; this is left out"},
        Case{"AName", nginx, overlay_of("\"a b\": {address: 10.0.0.3:80}"), "s1", "cannot be the name"}),
    [](const auto& one) { return one.param.name; });

TEST(OverlayText, MustNotBeWhatMakesAFileValid) {
    const std::string quorum = "instances: {}\nvirtual_servers:\n  web: {kind: nginx, quorum: 3, real_servers: {s1: "
                               "{address: 10.0.0.1:80}}}\n";
    const auto loaded = load(with(overlay_of("s3: {address: 10.0.0.3:80, weight: 5}"), quorum));
    ASSERT_FALSE(loaded);
    EXPECT_NE(render(loaded.error()).find("never reaches its quorum"), std::string::npos);
}

TEST(OverlayText, OfTwoTheFirstOneCounts) {
    auto both = with(overlay_of("s3: {address: 10.0.0.3:80}"), nginx, Origin::persistent);
    both.files.push_back(
        {"run.yaml", overlay_of("s3: {address: 10.0.0.4:80}\n      s4: {address: 10.0.0.5:80}"), Origin::runtime});
    const auto loaded = load(both);
    ASSERT_TRUE(loaded);
    EXPECT_EQ(servers(*loaded), "s1 s3:persistent s4:runtime");
    EXPECT_NE(warnings(*loaded).find("run.yaml:4:7: warning: real server 's3' stands at servers.yaml:4:7 too"),
              std::string::npos);
}

TEST(OverlayText, TakesWhatTheVirtualServerHasForAll) {
    const std::string file = "instances: {}\nvirtual_servers:\n  web: {kind: nginx, weight: 7, check: {tcp: {}}, "
                             "real_servers: {s1: {address: 10.0.0.1:80}}}\n";
    const auto loaded = load(with(overlay_of("s3: {address: 10.0.0.3:80}"), file));
    ASSERT_TRUE(loaded);
    const auto& added = loaded->config.virtual_servers[0].real_servers[1];
    EXPECT_EQ(added.weight, 7U);
    EXPECT_EQ(added.checks.size(), 1U);
}

TEST(OverlayText, IsWrittenAndReadBack) {
    for (const auto& directives :
         {R"({address: 10.0.0.3:80, weight: 2})", R"({address: "[2001:db8::1]:80"})",
          R"({address: 10.0.0.3, host: "1", check: {http: /a, status: [200-299, 404], interval: 2s}})",
          R"({address: 10.0.0.3, check: {tcp: {}, interval: 500ms}, inhibit_on_failure: true})",
          R"({address: 10.0.0.3, check: {http: "/a?b: #c", host: "gr\xc3\xbc\xc3\x9f, \"so\"\\\x0a"}})"}) {
        const std::vector<AddedServer> added{
            {"web", "s3", directives}, {"web", "on", "{address: 10.0.0.9}"}, {"null", "s3", directives}};
        auto read = read_overlay({"servers.yaml", write_overlay(added), Origin::runtime});
        ASSERT_TRUE(read) << render(read.error()) << write_overlay(added);
        ASSERT_EQ(read->size(), 3U);
        const auto again = read_overlay({"servers.yaml", write_overlay(*read), Origin::runtime});
        ASSERT_TRUE(again);
        EXPECT_EQ(*again, *read);
        EXPECT_TRUE(std::ranges::find(*read, added[1]) != read->end());
        EXPECT_EQ(std::ranges::find(*read, "web", &AddedServer::server)->directives,
                  read_directives(directives).value());
    }
}

TEST(Directives, AreOneMapOnOneLine) {
    for (const auto& [text, said] : std::map<std::string, std::string>{
             {"", "the file is empty"},
             {"address: 10.0.0.3", "the directives must be a map in braces"},
             {"[1]", "the directives must be a map in braces"},
             {"{address: 10.0.0.3", "this is not valid YAML"},
             {"{address: 10.0.0.3}\n---\n{}", "goes on after the end of its YAML document"},
             {"{address: 10.0.0.3}}", "this is not valid YAML"},
             {"{address: &a 10.0.0.3}", "anchors (&name) are not supported"},
             {"{address: 10.0.0.3, address: 10.0.0.4}", "'address' is given twice"},
             {"{address: 10.0.0.3, notify_up: [/bin/true]}",
              "notify_up runs a program, which only the configuration may name"},
             {"{address: 10.0.0.3, check: {script: [/bin/true]}}",
              "script runs a program, which only the configuration may name"},
             {"{address: 10.0.0.3, checks: [{tcp: {}}, {script: [/bin/true]}]}", "script runs a program"},
             {"{address: \"" + std::string(longest_directives, '1') + "\"}", "at most 4096 are read"}}) {
        const auto read = read_directives(text);
        ASSERT_FALSE(read) << text;
        EXPECT_NE(render(read.error()).find(said), std::string::npos) << text << "\n" << render(read.error());
    }
    EXPECT_EQ(read_directives("{address: 10.0.0.3:80, # where\n  weight: '2'}").value(),
              "{address: 10.0.0.3:80, weight: \"2\"}");
}

} // namespace
} // namespace holdfast::config::testing
