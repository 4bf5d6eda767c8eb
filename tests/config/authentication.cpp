// `authentication:` of the three types: what is read, and that a bad key set never becomes a weaker one.
#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

std::string with(const std::string& authentication, const std::string& version = "3") {
    return instance_with("    version: " + version + "\n    authentication: " + authentication + "\n");
}

model::HmacAuthentication key_set(const std::string& text) {
    const auto config = good(with(text));
    if (config.instances.empty() || !config.instances[0].authentication) return {};
    return std::get<model::HmacAuthentication>(*config.instances[0].authentication);
}

TEST(KeySet, OfOneKeyNeedsNothingElse) {
    const auto set = key_set("{type: hmac, keys: {7: {credential: key}}}");
    const std::string text = "0123456789abcdef0123456789abcdef";
    EXPECT_EQ(set, (model::HmacAuthentication{.keys = {{7, {text.begin(), text.end()}}}, .active_key = 7}));
    EXPECT_EQ(set.window(100ms), 5s);
    EXPECT_EQ(set.window(10s), 30s);
}

TEST(KeySet, TakesKeysFromEverywhereAndSortsThem) {
    const auto hex = std::string(64, 'a');
    const auto set =
        key_set("{type: hmac, keys: {200: {hex: " + hex +
                "}, 3: {credential: hexkey}, 1: {file: /etc/holdfast/key}, 2: {password: " + std::string(40, 'p') +
                "}}, active_key: 3, mode: receive-only, anti_replay: time, time_window: 10s}");
    ASSERT_EQ(set.keys.size(), 4U);
    EXPECT_EQ(set.keys[0], (model::HmacKey{1, Bytes(32, 'k')}));
    EXPECT_EQ(set.keys[1], (model::HmacKey{2, Bytes(40, 'p')}));
    EXPECT_EQ(set.keys[2], (model::HmacKey{3, Bytes(32, 0x55)}));
    EXPECT_EQ(set.keys[3], (model::HmacKey{200, Bytes(32, 0xaa)}));
    EXPECT_EQ(set.active_key, 3);
    EXPECT_EQ(set.mode, model::HmacMode::receive_only);
    EXPECT_EQ(set.window(1s), 10s);
    EXPECT_EQ(
        key_set("{type: hmac, keys: {1: {credential: key}}, anti_replay: monotonic, mode: permissive}").anti_replay,
        model::AntiReplay::monotonic);
}

TEST(KeySet, IsWrittenAndReadBack) {
    const auto config = good(with("{type: hmac, keys: {2: {credential: key}, 1: {credential: hexkey}}, active_key: 2, "
                                  "mode: permissive, time_window: 10s}"));
    EXPECT_EQ(good(dump(config)), config);
    EXPECT_NE(dump(config, Secrets::hide)
                  .find("authentication: {type: hmac, keys: {1: {hex: \"********\"}, 2: {hex: "
                        "\"********\"}}, active_key: 2, mode: permissive, anti_replay: time, "
                        "time_window: 10s}\n"),
              std::string::npos)
        << dump(config, Secrets::hide);
}

TEST(KeySet, ThatIsBadIsAnErrorAndNeverAWeakerSetting) {
    struct Case {
        std::string text, message, hint;
    };
    const std::string make = "make one: openssl rand -hex 32, and write hex: in front of it in the file";
    const Case cases[]{
        {"{keys: {1: {credential: key}}}", "authentication does not say its type", "write type: hmac"},
        {"{type: hmac}", "authentication has no keys", "add keys: {1: {credential: NAME}}, the same on every host"},
        {"{type: hmac, keys: {}}", "keys must be a map from key id to secret", "write keys: {1: {credential: NAME}}"},
        {"{type: hmac, keys: abc}", "keys must be a map from key id to secret", "write keys: {1: {credential: NAME}}"},
        {"{type: hmac, keys: {0: {credential: key}}}", "this is not a key id",
         "an id is a number from 1 to 255: keys: {1: {credential: NAME}}"},
        {"{type: hmac, keys: {256: {credential: key}}}", "this is not a key id",
         "an id is a number from 1 to 255: keys: {1: {credential: NAME}}"},
        {"{type: hmac, keys: {1: {}}}", "key 1 has no secret", "add credential: NAME, or file: PATH"},
        {"{type: hmac, keys: {1: abc}}", "key 1 must be a map", "write {credential: NAME} or {file: PATH}"},
        {"{type: hmac, keys: {1: {credential: key, file: /etc/holdfast/key}}}",
         "key 1 has both a credential and a file", "keep one of them"},
        {"{type: hmac, keys: {1: {credntial: key}}}", "this is not a directive of key 1", "did you mean 'credential'?"},
        {"{type: hmac, keys: {1: {credential: inside}}}", "the credential 'inside' has 6 bytes; a key has 32 to 64",
         make},
        {"{type: hmac, keys: {1: {hex: abc}}}",
         "the hex key is not hexadecimal: two digits for each byte, nothing between them", make},
        {"{type: hmac, keys: {1: {hex: " + std::string(130, 'a') + "}}}",
         "the hex key has 65 bytes; a key has 32 to 64", make},
        {"{type: hmac, keys: {1: {password: short}}}", "the password has 5 bytes; a key has 32 to 64", make},
        {"{type: hmac, keys: {1: {file: /etc/shared}}}",
         "the file '/etc/shared' can be used by other users than its owner (mode 0644)", "chmod 600 /etc/shared"},
        {"{type: hmac, keys: {1: {file: key}}}", "file must be the path of a file, from the root on, not 'key'", ""},
        {"{type: hmac, keys: {1: {credential: none}}}", "there is no credential 'none'",
         "give it to the service: LoadCredential=none:/path/of/the/file"},
        {"{type: hmac, keys: {1: {credential: key}, 2: {credential: hexkey}}}",
         "authentication has 2 keys and does not say which of them signs", "add active_key: 1"},
        {"{type: hmac, keys: {1: {credential: key}, 2: {credential: hexkey}}, active_key: 3}",
         "active_key 3 is not among the keys",
         "there is 1 and 2: nothing is ever sent unsigned because a key is missing"},
        {"{type: hmac, keys: {1: {credential: key}}, active_key: 0}",
         "active_key must be a number from 1 to 255, not '0'", ""},
        {"{type: hmac, keys: {1: {credential: key}}, mode: enforced}",
         "mode must be enforce or permissive or receive-only, not 'enforced'", "did you mean 'enforce'?"},
        {"{type: hmac, keys: {1: {credential: key}}, anti_replay: off}",
         "anti_replay must be time or monotonic, not 'off'", ""},
        {"{type: hmac, keys: {1: {credential: key}}, time_window: 400s}", "time_window must be 1s to 5min, not '400s'",
         ""},
        {"{type: hmac, keys: {1: {credential: key}}, anti_replay: monotonic, time_window: 4s}",
         "time_window goes with anti_replay: time, not with monotonic", "remove it"},
        {"{type: hmac, keys: {1: {credential: key}}, password: x}", "this is not a directive of authentication",
         "there is type, keys, active_key, mode, anti_replay and time_window"},
    };
    for (const auto& one : cases)
        EXPECT_EQ(expect_refused(with(one.text), one.message, one.hint).line, 7U) << one.text;
}

TEST(KeySet, GoesWithEveryVersionAndFamily) {
    EXPECT_EQ(errors(with("{type: hmac, keys: {1: {credential: key}}}", "2")), "");
    const auto both = good(with("{type: hmac, keys: {1: {credential: key}}}"));
    EXPECT_EQ(both.instances.size(), 1U);
}

TEST(KeySet, IsTakenOverByALiveReload) {
    const auto before = good(with("{type: hmac, keys: {1: {credential: key}}}"));
    const auto after = good(
        with("{type: hmac, keys: {1: {credential: key}, 2: {credential: hexkey}}, active_key: 2, mode: permissive}"));
    const auto diff = model::diff(before, after);
    ASSERT_EQ(diff.changed_instances.size(), 1U);
    EXPECT_EQ(diff.changed_instances[0].how, model::Reload::live);
}

TEST(AuthenticationHeader, HasAShortPasswordAndVersion2) {
    const auto config = good(with("{type: ah, credential: inside}", "2"));
    EXPECT_EQ(config.instances[0].authentication,
              (model::Authentication{model::AhAuthentication{{'g', 'e', 'h', 'e', 'i', 'm'}}}));
    EXPECT_EQ(good(dump(config)), config);
    EXPECT_EQ(good(with("{type: ah, file: /etc/holdfast/inside}", "2")), config);
    EXPECT_EQ(errors(with("{type: ah, credential: inside}")),
              R"(holdfast.yaml:7:5: error: version 3 has no authentication of type ah
    authentication: {type: ah, credential: inside}
    ^
  hint: RFC 9568 removed it: use type: hmac, or write version: 2 on all hosts
)");
}

} // namespace
} // namespace holdfast::config::testing
