// What the config tests share: load one text as node lb1, and see the model or the screen.
#pragma once

#include "config/dump.hpp"
#include "config/load.hpp"

#include <gtest/gtest.h>
#include <string>

namespace holdfast::config::testing {

inline Request request(const std::string& text) {
    Request result{.node_name = "lb1", .files = {{"holdfast.yaml", text}}};
    result.credential = [](const std::string& name) -> std::optional<std::string> {
        if (name == "inside") return "geheim\n";
        if (name == "long") return "geheim1234";
        if (name == "empty") return "";
        if (name == "key") return "0123456789abcdef0123456789abcdef";
        if (name == "hexkey") return "hex:" + std::string(64, '5') + "\n";
        return std::nullopt;
    };
    result.key_file = [](const std::string& path) -> Parsed<std::string> {
        if (path == "/etc/holdfast/key") return std::string(32, 'k') + "\n";
        if (path == "/etc/holdfast/inside") return "geheim\n";
        return std::unexpected{Complaint{"can be used by other users than its owner (mode 0644)", "chmod 600 " + path}};
    };
    return result;
}

/// What the operator reads; empty when the text is fine.
inline std::string errors(const Request& request) {
    const auto loaded = load(request);
    return loaded ? "" : render(loaded.error());
}
inline std::string errors(const std::string& text) {
    return errors(request(text));
}

/// It is refused for one problem and no other; that one, for what else there is to say of it.
inline Diagnostic expect_refused(const std::string& text, const std::string& message, const std::string& hint) {
    const auto loaded = load(request(text));
    if (loaded) {
        ADD_FAILURE() << "it is accepted:\n" << text;
        return {};
    }
    EXPECT_EQ(loaded.error().size(), 1U) << render(loaded.error());
    EXPECT_EQ(loaded.error()[0].message, message) << text;
    EXPECT_EQ(loaded.error()[0].hint, hint) << text;
    return loaded.error()[0];
}

inline model::Config good(const Request& request) {
    const auto loaded = load(request);
    EXPECT_TRUE(loaded.has_value()) << render(loaded.error());
    return loaded ? loaded->config : model::Config{};
}
inline model::Config good(const std::string& text) {
    return good(request(text));
}

/// A file with one instance that has what it needs, and these lines besides; they start at line 6.
inline std::string instance_with(const std::string& lines) {
    return "instances:\n  web:\n    interface: eth0\n    vrid: 51\n    addresses: [192.0.2.10/24]\n" + lines;
}
/// A file with no instance and one tracker, flow style, on line 3.
inline std::string tracker_with(const std::string& directives) {
    return "instances: {}\ntrackers:\n  t: {" + directives + "}\n";
}

} // namespace holdfast::config::testing
