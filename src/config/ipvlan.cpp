// An interface of the virtual router's own that shares the MAC address: `ipvlan: on`, or a map. Invariant: as list.hpp says.
#include "config/check.hpp"
#include "config/families.hpp"
#include "config/foreign.hpp"
#include "config/list.hpp"
#include "config/own_link.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::Instance;
using model::Ipvlan;
using model::IpvlanMode;

constexpr std::array words{std::string_view{"interface"}, std::string_view{"mode"}};
constexpr std::string_view forms = "on, off or {interface: NAME, mode: bridge, private or vepa}";
constexpr std::array modes{std::pair{std::string_view{"bridge"}, IpvlanMode::bridge},
                           std::pair{std::string_view{"private"}, IpvlanMode::private_},
                           std::pair{std::string_view{"vepa"}, IpvlanMode::vepa}};
// keepalived runs VRRP on the ipvlan, so it needs an address of its own there; here adverts come from the interface under it.
constexpr std::array foreign_words{ForeignWord{
    "address", "adverts come from the interface under it, which has one: remove it, or choose one with source"}};

bool read_mode(Context& context, const Node& node, IpvlanMode& mode) {
    const auto* const found =
        std::ranges::find_if(modes, [&](const auto& entry) { return node.is_scalar() && node.text == entry.first; });
    if (found == modes.end()) {
        complain(context, "mode", node, must_be("bridge, private or vepa", node));
        return false;
    }
    mode = found->second;
    return true;
}

} // namespace

std::optional<std::optional<Ipvlan>> read_ipvlan(Context& context, const Node& node) {
    if (!node.is_map()) {
        const auto flag = Flag{}.parse(node);
        if (!flag) {
            complain(context, "ipvlan", node, must_be(forms, node));
            return std::nullopt;
        }
        return *flag ? std::optional<Ipvlan>{Ipvlan{}} : std::nullopt;
    }
    Ipvlan result;
    bool fine = true;
    for (const auto& entry : node.entries) {
        if (entry.key == "interface") {
            fine = read_own_link_name(context, entry.value, result.interface) && fine;
        } else if (entry.key == "mode") {
            fine = read_mode(context, entry.value, result.mode) && fine;
        } else {
            unknown_key(context, entry, words, foreign_words, "ipvlan");
            fine = false;
        }
    }
    if (!fine) return std::nullopt;
    return std::optional{std::move(result)};
}

std::string write_ipvlan(const Ipvlan& ipvlan) {
    if (ipvlan == Ipvlan{}) return "on";
    const auto* const mode = std::ranges::find(modes, ipvlan.mode, &std::pair<std::string_view, IpvlanMode>::second);
    std::string out = fmt::format("{{mode: {}", mode->first);
    if (!ipvlan.interface.empty()) out += fmt::format(", interface: {}", yaml_text(ipvlan.interface));
    return out + "}";
}

void check_ipvlan(Context& context, const Named<Instance>& named) {
    const auto& draft = named.draft;
    const auto& instance = draft.object;
    if (!instance.ipvlan || !draft.has("ipvlan") || !draft.usable("ipvlan")) return;
    if (instance.virtual_mac && draft.usable("virtual_mac"))
        context.problems.error(
            place_inside(named, "ipvlan", ""),
            fmt::format("'{}' has virtual_mac and ipvlan, and its addresses are on one interface", named.name),
            "an ipvlan has the MAC address of the interface under it: remove one of the two");
    check_own_link(context, named, "ipvlan", instance.ipvlan->interface);
    if (!draft.usable("addresses") || instance.ipvlan->interface.empty()) return;
    if (has_family(instance, Family::ipv4) && has_family(instance, Family::ipv6))
        context.problems.error(place_inside(named, "ipvlan", "interface"),
                               fmt::format("'{}' has addresses of both families, which are two virtual routers: one "
                                           "interface is not enough",
                                           named.name),
                               "leave interface out, or make an instance for each family");
}

} // namespace holdfast::config
