// A MAC address of the virtual router's own: `virtual_mac: on`, or a map. Invariant: as list.hpp says.
#include "config/check.hpp"
#include "config/families.hpp"
#include "config/foreign.hpp"
#include "config/list.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::AdvertsFrom;
using model::Instance;
using model::VirtualMac;

constexpr std::array words{std::string_view{"interface"}, std::string_view{"adverts_from"},
                           std::string_view{"address"}};
constexpr std::string_view forms = "on, off or {interface: NAME, adverts_from: virtual or parent, address: MAC}";

bool read_adverts_from(Context& context, const Node& node, AdvertsFrom& from) {
    const bool parent = node.is_scalar() && node.text == "parent";
    if (!parent && !(node.is_scalar() && node.text == "virtual")) {
        complain(context, "adverts_from", node, must_be("virtual or parent", node));
        return false;
    }
    from = parent ? AdvertsFrom::parent : AdvertsFrom::virtual_mac;
    return true;
}

bool read_mac(Context& context, const Node& node, std::optional<MacAddress>& address) {
    address = node.is_scalar() ? parse_mac(node.text) : std::nullopt;
    if (!address) {
        complain(context, "address", node, must_be("a MAC address, like 02:00:5e:00:00:01", node));
        return false;
    }
    const bool group = (address->bytes[0] & 1U) != 0;
    if (!group && *address != MacAddress{}) return true;
    context.problems.error(node.mark,
                           group ? fmt::format("{} is the address of a group, so no host can send from it", node.text)
                                 : fmt::format("{} is the address of nobody", node.text),
                           "begin with 02, or leave address out: RFC 9568 has one for every vrid");
    return false;
}

bool read_name(Context& context, const Node& node, std::string& name) {
    const auto link = check_vrrp_link(node);
    if (!link) complain(context, "interface", node, link.error());
    name = link.value_or("");
    return link.has_value();
}

std::optional<VirtualMac> read_map(Context& context, const Node& node) {
    VirtualMac result;
    bool fine = true;
    for (const auto& entry : node.entries) {
        if (entry.key == "interface") {
            fine = read_name(context, entry.value, result.interface) && fine;
        } else if (entry.key == "adverts_from") {
            fine = read_adverts_from(context, entry.value, result.adverts_from) && fine;
        } else if (entry.key == "address") {
            fine = read_mac(context, entry.value, result.address) && fine;
        } else {
            unknown_key(context, entry, words, {}, "virtual_mac");
            fine = false;
        }
    }
    return fine ? std::optional{std::move(result)} : std::nullopt;
}

/// The part of the value that a rule complains about.
Mark place_of(const Named<Instance>& named, std::string_view word) {
    const auto& given = named.draft.given.at("virtual_mac");
    const auto* entry = given.node && given.node->is_map() ? given.node->find(word) : nullptr;
    return entry ? entry->value.mark : given.value;
}

void check_families(Context& context, const Named<Instance>& named) {
    const auto& instance = named.draft.object;
    if (!has_family(instance, Family::ipv4) || !has_family(instance, Family::ipv6)) return;
    const auto& mac = *instance.virtual_mac;
    const std::string_view word = !mac.interface.empty() ? "interface" : "address";
    if (mac.interface.empty() && !mac.address) return;
    context.problems.error(
        place_of(named, word),
        fmt::format("'{}' has addresses of both families, which are two virtual routers with a MAC address each: one "
                    "{} is not enough",
                    named.name, word),
        fmt::format("leave {} out, or make an instance for each family", word));
}

/// The RFC's addresses belong to one VRID each: another router's would take its clients along.
void check_range(Context& context, const Named<Instance>& named) {
    const auto& instance = named.draft.object;
    const auto& mac = instance.virtual_mac->address;
    if (!mac || !named.draft.usable("vrid") || !named.draft.has("vrid")) return;
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        const auto own = model::vrrp_mac(family, instance.vrid);
        const bool in_range =
            std::ranges::equal(mac->bytes.begin(), mac->bytes.begin() + 5, own.bytes.begin(), own.bytes.begin() + 5);
        if (!in_range || (*mac == own && has_family(instance, family))) continue;
        context.problems.error(
            place_of(named, "address"),
            fmt::format("{} belongs to the {} router with vrid {} (RFC 9568 7.3)", to_string(*mac), to_string(family),
                        mac->bytes[5]),
            fmt::format("leave address out: '{}' then has {}", named.name,
                        to_string(model::vrrp_mac(has_family(instance, Family::ipv4) ? Family::ipv4 : Family::ipv6,
                                                  instance.vrid))));
    }
}

} // namespace

std::optional<std::optional<VirtualMac>> read_virtual_mac(Context& context, const Node& node) {
    if (node.is_map()) {
        auto mac = read_map(context, node);
        return mac ? std::optional{mac} : std::nullopt;
    }
    const auto flag = Flag{}.parse(node);
    if (!flag) {
        complain(context, "virtual_mac", node, must_be(forms, node));
        return std::nullopt;
    }
    return *flag ? std::optional<VirtualMac>{VirtualMac{}} : std::nullopt;
}

std::string write_virtual_mac(const VirtualMac& mac) {
    if (mac == VirtualMac{}) return "on";
    std::string out = fmt::format("{{adverts_from: {}", mac.adverts_from == AdvertsFrom::parent ? "parent" : "virtual");
    if (!mac.interface.empty()) out += fmt::format(", interface: {}", yaml_text(mac.interface));
    if (mac.address) out += fmt::format(", address: \"{}\"", to_string(*mac.address));
    return out + "}";
}

void check_virtual_mac(Context& context, const Named<Instance>& named) {
    const auto& draft = named.draft;
    const auto& instance = draft.object;
    if (!instance.virtual_mac || !draft.has("virtual_mac") || !draft.usable("virtual_mac")) return;
    if (draft.usable("priority") && instance.is_owner())
        context.problems.error(
            place_of(named, ""),
            fmt::format("'{}' has priority 255, so its addresses are the interface's own and stay at "
                        "its MAC address",
                        named.name),
            "give it a priority below 255, or remove virtual_mac");
    if (draft.usable("interface") && instance.virtual_mac->interface == instance.interface)
        context.problems.error(
            place_of(named, "interface"),
            fmt::format("{} is the interface of the instance; virtual_mac makes another one on it", instance.interface),
            "choose a name that no interface has, or leave it out");
    const auto* given = draft.given.at("virtual_mac").node;
    const auto* from = given && given->is_map() ? given->find("adverts_from") : nullptr;
    if (draft.usable("unicast") && instance.unicast && from && from->value.text == "virtual")
        context.problems.error(from->value.mark,
                               "unicast adverts leave from the MAC address of the interface: it is what peers know",
                               "write adverts_from: parent, or remove unicast");
    if (!draft.usable("addresses")) return;
    check_families(context, named);
    check_range(context, named);
}

namespace {

/// The macvlans that an instance makes.
std::vector<std::string> macvlans(const Instance& instance) {
    std::vector<std::string> names;
    for (auto one = instance; const auto family : {Family::ipv4, Family::ipv6}) {
        one.family = family;
        if (has_family(instance, family)) names.push_back(one.address_interface());
    }
    return names;
}

void refuse_name(Context& context, const Named<Instance>& named, const std::string& name, const std::string& why) {
    context.problems.error(place_of(named, "interface"), why,
                           fmt::format("give '{}' a name of its own: virtual_mac: {{interface: {}}}", named.name,
                                       name.size() < 14 ? name + "b" : "vmac0"));
}

} // namespace

void check_macvlan_names(Context& context, const std::vector<Named<Instance>>& instances) {
    std::map<std::string, const Named<Instance>*> seen;
    for (const auto& named : instances) {
        const auto& draft = named.draft;
        if (!draft.object.virtual_mac || !draft.has("virtual_mac") || !draft.usable("vrid")) continue;
        for (const auto& name : macvlans(draft.object)) {
            const auto [first, fresh] = seen.emplace(name, &named);
            if (!fresh && first->second != &named)
                refuse_name(context, named, name,
                            fmt::format("instances '{}' and '{}' both make the interface {}", first->second->name,
                                        named.name, name));
            for (const auto& other : instances)
                if (&other != &named && other.draft.object.interface == name)
                    refuse_name(context, named, name,
                                fmt::format("{} is the interface of instance '{}' already", name, other.name));
        }
    }
}

} // namespace holdfast::config
