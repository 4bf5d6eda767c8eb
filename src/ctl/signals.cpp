#include "ctl/signals.hpp"

#include <algorithm>
#include <concepts>
#include <cstdlib>
#include <map>
#include <sdbus-c++/sdbus-c++.h>
#include <tuple>
#include <vector>

namespace holdfast::ctl {
namespace {

using Changed = std::map<std::string, sdbus::Variant>;

constexpr std::string_view instance_root = "/org/holdfast1/instance/";

Json plain(const std::string& text) {
    return text;
}
Json plain(const sdbus::ObjectPath& path) {
    return std::string{path};
}
Json plain(bool value) {
    return value;
}
Json plain(std::integral auto value) {
    return value;
}
template <typename... Parts>
Json plain(const sdbus::Struct<Parts...>& parts) {
    const std::tuple<Parts...>& tuple = parts; // std::apply does not know sdbus::Struct
    return std::apply([](const auto&... part) { return Json::array({plain(part)...}); }, tuple);
}
template <typename Value>
Json plain(const std::vector<Value>& values) {
    auto list = Json::array();
    for (const auto& value : values)
        list.push_back(plain(value));
    return list;
}

template <typename... Types>
Json first_of(const sdbus::Variant& value) {
    Json json;
    const auto fits = [&]<typename Type>(Type*) {
        if (!value.containsValueOfType<Type>()) return false;
        json = plain(value.get<Type>());
        return true;
    };
    (fits(static_cast<Types*>(nullptr)) || ...);
    return json;
}

Json named(const Json& parts, const std::vector<const char*>& keys) {
    auto object = Json::object();
    for (std::size_t i = 0; i < keys.size() && i < parts.size(); ++i)
        object[keys[i]] = parts[i];
    return object;
}

/// A structure's parts get the names that they have in Describe().
Json shaped(const std::string& property, const Json& value) {
    static const std::map<std::string, std::vector<const char*>> keys{
        {"StateReason", {"Code", "Text"}},
        {"Faults", {"Code", "Text"}},
        {"PriorityContributions", {"Tracker", "Weight"}},
        {"Addresses", {"Address", "Link", "State"}},
        {"Routes", {"Text", "Installed"}},
        {"StaticAddresses", {"Address", "Link", "State"}},
        {"StaticRoutes", {"Text", "Installed"}},
        {"StaticRules", {"Text", "Installed"}},
        {"Rules", {"Text", "Installed"}},
        {"ExcludedAddresses", {"Wanted", "Assigned"}},
        {"ActiveRouter", {"Address", "Priority", "LastSeenUSec"}},
    };
    const auto found = keys.find(property);
    if (found == keys.end()) return value;
    if (value.empty() || !value[0].is_array()) return value.empty() ? value : named(value, found->second);
    auto list = Json::array();
    for (const auto& each : value)
        list.push_back(named(each, found->second));
    return list;
}

Json changed_json(const Changed& changed) {
    using sdbus::Struct;
    using std::string;
    auto json = Json::object();
    for (const auto& [name, value] : changed)
        json[name] =
            shaped(name, first_of<string, bool, std::uint8_t, std::uint64_t, std::uint32_t, Struct<string, string>,
                                  Struct<std::uint32_t, std::uint32_t>, Struct<string, std::uint8_t, std::uint64_t>,
                                  std::vector<Struct<string, string>>, std::vector<Struct<string, bool>>,
                                  std::vector<Struct<string, std::int32_t>>,
                                  std::vector<Struct<string, string, string>>, std::vector<sdbus::ObjectPath>>(value));
    return json;
}

} // namespace

std::string name_of(std::string_view path) {
    path.remove_prefix(std::min(path.size(), instance_root.size()));
    std::string name;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] != '_' || i + 2 >= path.size()) {
            name += path[i];
            continue;
        }
        name += static_cast<char>(std::strtol(std::string{path.substr(i + 1, 2)}.c_str(), nullptr, 16));
        i += 2;
    }
    return name;
}

Json state_changed(sdbus::Message& message, const std::string& name) {
    std::string from, to, reason;
    std::uint64_t usec{};
    message >> from >> to >> reason >> usec;
    return {{"Event", "StateChanged"}, {"Name", name}, {"Old", from}, {"New", to}, {"Reason", reason}, {"USec", usec}};
}

Json properties_changed(sdbus::Message& message, const std::string& name) {
    std::string interface;
    Changed changed;
    std::vector<std::string> invalidated;
    message >> interface >> changed >> invalidated;
    return {{"Event", "PropertiesChanged"},
            {"Name", name},
            {"Properties", changed_json(changed)},
            {"Invalidated", invalidated}};
}

Json owner_changed(sdbus::Message& message) {
    std::string name, before, after;
    message >> name >> before >> after;
    return {{"Event", after.empty() ? "DaemonStopped" : "DaemonStarted"}};
}

} // namespace holdfast::ctl
