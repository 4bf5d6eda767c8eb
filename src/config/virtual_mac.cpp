// A MAC address of the virtual router's own: `virtual_mac: on`, or a map. Invariant: as list.hpp says.
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

std::optional<VirtualMac> read_map(Context& context, const Node& node) {
    VirtualMac result;
    bool fine = true;
    for (const auto& entry : node.entries) {
        if (entry.key == "interface") {
            fine = read_own_link_name(context, entry.value, result.interface) && fine;
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

Mark place_of(const Named<Instance>& named, std::string_view word) {
    return place_inside(named, "virtual_mac", word);
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
    check_own_link(context, named, "virtual_mac", instance.virtual_mac->interface);
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

} // namespace holdfast::config
