// `show`: the properties of an instance, for scripts.
#include "ctl/commands.hpp"

#include <fmt/format.h>

namespace holdfast::ctl {
namespace {

std::string plain(const Json& value) {
    return value.is_string() ? printable(value.get<std::string>()) : to_text(value, JsonStyle::compact);
}

Json only(const Json& instance, const std::vector<std::string>& properties) {
    if (properties.empty()) return instance;
    auto chosen = Json::object();
    for (const auto& name : properties) {
        if (!instance.contains(name))
            throw Failure{Exit::no_object, "org.freedesktop.DBus.Error.UnknownProperty",
                          fmt::format("an instance has no property '{}': holdfastctl show {} lists them", name,
                                      instance["Name"].get<std::string>())};
        chosen[name] = instance[name];
    }
    return chosen;
}

} // namespace

void show(Connection& connection, const Look& look, const std::string& name, const std::vector<std::string>& properties,
          bool value_only) {
    auto chosen = Json::array();
    for (const auto& instance : instances_named(connection.describe(), name))
        chosen.push_back(only(instance, properties));
    if (look.json != JsonStyle::off) return print(chosen.size() == 1 ? chosen[0] : chosen, look.json);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        if (i > 0 && !value_only) print("");
        for (const auto& [key, value] : chosen[i].items())
            print(value_only ? plain(value) : key + "=" + plain(value));
    }
}

} // namespace holdfast::ctl
