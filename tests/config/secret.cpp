#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

TEST(Secret, IsStarredInTheSourceLineOfADiagnostic) {
    EXPECT_EQ(
        errors(instance_with("    version: 2\n    authentication: {type: pass, password: geheim123}\n")),
        R"(holdfast.yaml:7:44: error: the password has more than 8 bytes, which is all that a VRRPv2 packet has room for
    authentication: {type: pass, password: ***
                                           ^
  hint: keepalived silently cuts it: use the first 8 bytes on both sides
)");
    EXPECT_EQ(errors(instance_with("    version: 2\n    authentication: {password: geheim, type: md5}\n")),
              R"(holdfast.yaml:7:46: error: the type of authentication must be pass, ah or hmac, not 'md5'
    authentication: {password: ***type: md5}
                                        ^
)");
}

TEST(Secret, NeverAppearsWhateverIsWrongAroundIt) {
    const std::string cases[]{
        "    authentication: geheim12\n",
        "    authentication: [geheim12]\n",
        "    authentication: {type: pass, pasword: geheim12}\n",
        "    authentication: {type: pass, geheim12}\n",
        "    authentication: {geheim12: password, type: pass}\n",
        "    authentication: {type: pass, password: geheim12, password: geheim12}\n",
        "    authentication: {type: pass, password: [geheim12], credential: x}\n",
        "    authentication: {type: pass, password: {lb1: geheim12}, x}\n",
        "    authentication: {type: pass, password: geheim12\n",
        "    authentication: {type: pass, password: \"geheim12\n",
        "    authentication:\n      type: pass\n      password: geheim12: x\n",
        "    authentication:\n      type: pass\n      password:\n        geheim12: x: y\n",
        "    authentication:\n      type: pass\n      password: |\n        geheim12\n        geheim12\n      vrid: 5\n",
        "    authentication:\n      type: pass\n      password: >\n        geheim12\n\tgeheim12: [\n",
        "    authentication:\n      type: pass\n      password: geheim12\n     x: 5\n",
        "    authentication: {type: pass, password: &x geheim12}\n",
        "    authentication: {type: pass, password: !!str geheim12}\n",
        "    authentication: {type: ah, file: /x, geheim12: x}\n",
        "    authentication: {type: hmac, password: geheim12}\n",
        "    authentication: {type: hmac, keys: geheim12}\n",
        "    authentication: {type: hmac, keys: [geheim12]}\n",
        "    authentication: {type: hmac, keys: {geheim12: {file: /x}}}\n",
        "    authentication: {type: hmac, keys: {1: geheim12}}\n",
        "    authentication: {type: hmac, keys: {1: [geheim12]}}\n",
        "    authentication: {type: hmac, keys: {1: {geheim12: x}}}\n",
        "    authentication: {type: hmac, keys: {1: {hex: geheim12}}}\n",
        "    authentication: {type: hmac, keys: {1: {password: geheim12}}}\n",
        "    authentication: {type: hmac, keys: {1: {password: geheim12, credential: x}}}\n",
        "    authentication:\n      type: hmac\n      keys:\n        1:\n          hex: geheim12: x\n",
        "    auth_hmac: {key: geheim12}\n",
        "    autentication: {type: pass, password: geheim12}\n",
        "    auth_pass: geheim12\n",
        "    auth_pass: {lb1: geheim12}\n",
        "    authentication: {type: pass, password: geheim12}\n    authentication: {type: geheim, password: "
        "geheim12}\n",
    };
    for (const auto& one : cases) {
        const auto text = errors(instance_with(one));
        EXPECT_NE(text, "") << one;
        EXPECT_EQ(text.find("geheim12"), std::string::npos) << text;
    }
    const auto text = errors("defaults: {auth_pass: {lb1: geheim12}}\ninstances: {}\n");
    EXPECT_NE(text, "");
    EXPECT_EQ(text.find("geheim12"), std::string::npos) << text;
}

TEST(Secret, OfAnotherNameIsNoSecret) {
    EXPECT_EQ(errors("instances: {}\ntrackers:\n  keepass: {unit: keepass}\n"),
              R"(holdfast.yaml:3:19: error: unit must be the name of a systemd unit with its type, not 'keepass'
  keepass: {unit: keepass}
                  ^
  hint: write keepass.service
)");
}

TEST(Secret, IsHiddenInADumpForPeople) {
    const auto config = good(instance_with("    version: 2\n    authentication: {type: pass, password: geheim12}\n"));
    EXPECT_EQ(dump(config, Secrets::hide).find("geheim12"), std::string::npos);
    EXPECT_NE(dump(config, Secrets::hide).find("authentication: {type: pass, password: \"********\"}\n"),
              std::string::npos);
    EXPECT_EQ(good(dump(config)), config);
}

} // namespace
} // namespace holdfast::config::testing
