#include "config/check.hpp"

#include "config/families.hpp"
#include "config/list.hpp"

#include <fmt/format.h>
#include <set>
#include <tuple>

namespace holdfast::config {
namespace {

using model::Instance;
using model::Version;

/// Where this address stands; a list has one node per entry.
Mark place_of(const Draft<Instance>& draft, const IpAddress& address, Mark otherwise,
              std::string_view list = "addresses") {
    const auto at = draft.given.find(list);
    if (at == draft.given.end() || !at->second.node) return otherwise;
    for (const auto& item : at->second.node->items) {
        const auto* const entry = item.find("address");
        const auto& text = entry ? entry->value.text : item.text;
        if (const auto prefix = parse_prefix(text); prefix && prefix->address == address) return item.mark;
    }
    return at->second.value;
}

/// A label names the link that its address is on.
void check_labels(Context& context, const Named<Instance>& named) {
    const auto& draft = named.draft;
    if (!draft.usable("interface")) return;
    const auto check = [&](std::string_view list, const std::vector<model::VirtualAddress>& addresses) {
        if (!draft.usable(list)) return;
        for (const auto& address : addresses) {
            const auto& link = address.interface.empty() ? draft.object.interface : address.interface;
            if (address.label.empty() || address.label.starts_with(link + ":")) continue;
            context.problems.error(place_of(draft, address.address, named.mark, list),
                                   fmt::format("label '{}' is of another link than {}, where {} is", address.label,
                                               link, to_string(address.address)),
                                   fmt::format("write {}{}", link, address.label.substr(address.label.find(':'))));
        }
    };
    check("addresses", draft.object.addresses);
    check("excluded_addresses", draft.object.excluded_addresses);
}

void check_version_2(Context& context, const Named<Instance>& named) {
    const auto& draft = named.draft;
    const auto& instance = draft.object;
    const auto version = context.sources.place(draft.place("version", named.mark));
    if (draft.usable("advert_interval") && instance.advert_interval % 1s != Duration::zero())
        context.problems.error(draft.place("advert_interval", named.mark),
                               fmt::format("advert_interval {} needs version 3: version 2 has whole seconds only",
                                           to_string(instance.advert_interval)),
                               fmt::format("version 2 is set at {}; write 1s, or use version 3 on all hosts", version));
    if (!draft.usable("addresses") || !has_family(instance, Family::ipv6)) return;
    const auto first =
        std::ranges::find(instance.addresses, Family::ipv6, [](const Prefix& p) { return p.address.family; });
    context.problems.error(
        place_of(draft, first->address, named.mark), "version 2 has no IPv6 addresses",
        fmt::format("version 2 is set at {}; use version 3 on all hosts, or an instance of its own for IPv6", version));
}

void check_version_3(Context& context, const Named<Instance>& named) {
    const auto& draft = named.draft;
    const auto& instance = draft.object;
    constexpr Duration longest = 40'950ms;
    if (draft.usable("advert_interval") && instance.advert_interval > longest)
        context.problems.error(
            draft.place("advert_interval", named.mark),
            fmt::format("advert_interval {} is too long for version 3", to_string(instance.advert_interval)),
            "version 3 has 10ms to 40.95s in steps of 10ms");
    if (instance.authentication && !std::holds_alternative<model::HmacAuthentication>(*instance.authentication))
        context.problems.error(
            draft.has("authentication") ? draft.given.at("authentication").key : named.mark,
            fmt::format("version 3 has no authentication of type {}", type_name(*instance.authentication)),
            "RFC 9568 removed it: use type: hmac, or write version: 2 on all hosts");
}

/// Each family that has addresses has peers, and where adverts come from is one of them.
void check_unicast(Context& context, const Named<Instance>& named) {
    const auto& draft = named.draft;
    const auto& instance = draft.object;
    if (!draft.usable("addresses") || !draft.usable("unicast") || !draft.usable("source")) return;
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        const auto is_of_family = [&](const model::UnicastPeer& peer) { return peer.address.family == family; };
        if (instance.unicast && has_family(instance, family) &&
            std::ranges::none_of(instance.unicast->peers, is_of_family))
            context.problems.error(draft.place("unicast", named.mark),
                                   fmt::format("unicast has no {} peers, but addresses has {} addresses",
                                               to_string(family), to_string(family)),
                                   "name the addresses of all hosts in each family");
    }
    if (instance.source && !instance.addresses.empty() && !has_family(instance, instance.source->family))
        context.problems.error(draft.place("source", named.mark),
                               fmt::format("source is {}, but no address is", to_string(instance.source->family)),
                               "give an address of the family that adverts are sent in");
    if (instance.source &&
        std::ranges::find(instance.addresses, *instance.source, &Prefix::address) != instance.addresses.end() &&
        !instance.is_owner())
        context.problems.error(
            draft.place("source", named.mark),
            fmt::format("{} is a virtual address: adverts come from the host's own", to_string(*instance.source)),
            "give the address that this host has anyway");
}

/// Hosts that hear the one hear the other too.
bool share_a_wire(const Instance& a, const Instance& b, Family family) {
    const auto group = [family](const Instance& instance) {
        return family == Family::ipv4 ? instance.multicast_group4 : instance.multicast_group6;
    };
    if (!a.unicast && !b.unicast) return group(a) == group(b);
    if (!a.unicast || !b.unicast) return true;
    return std::ranges::any_of(a.unicast->peers, [&](const model::UnicastPeer& peer) {
        return std::ranges::find(b.unicast->peers, peer.address, &model::UnicastPeer::address) !=
               b.unicast->peers.end();
    });
}

/// The same router twice on a link, or the same address twice anywhere.
struct Seen {
    std::multimap<std::tuple<std::string, Vrid, Family>, const Named<Instance>*> routers;
    std::map<std::string, std::set<IpAddress>> groups; ///< by interface, of IPv4
    std::map<std::pair<std::string, IpAddress>, const Named<Instance>*> addresses;
    /// Also with excluded ones, which only have to differ on their link.
    std::map<std::pair<std::string, IpAddress>, const Named<Instance>*> on_link;
};

void check_router(Context& context, const Named<Instance>& named, Family family, Seen& seen) {
    const auto& draft = named.draft;
    const std::tuple key{draft.object.interface, draft.object.vrid, family};
    const auto [from, to] = seen.routers.equal_range(key);
    const auto same = std::find_if(
        from, to, [&](const auto& entry) { return share_a_wire(entry.second->draft.object, draft.object, family); });
    const auto* first = same == to ? nullptr : same->second;
    seen.routers.emplace(key, &named);
    if (!first) return;
    const auto& other = *first;
    context.problems.error(draft.place("vrid", named.mark),
                           fmt::format("instances '{}' and '{}' are the same virtual router: vrid {} on {}, {}",
                                       other.name, named.name, draft.object.vrid.value, draft.object.interface,
                                       to_string(family)),
                           fmt::format("the other one is at {}; give one of them another vrid",
                                       context.sources.place(other.draft.place("vrid", other.mark))));
}

/// What Linux lets one socket be a member of (igmp(7), igmp_max_memberships), VRRP's own group included.
constexpr std::size_t most_groups = 20;

void check_group(Context& context, const Named<Instance>& named, Seen& seen) {
    const auto& draft = named.draft;
    if (draft.object.unicast || !draft.usable("multicast_group4") || !has_family(draft.object, Family::ipv4)) return;
    auto& groups = seen.groups[draft.object.interface];
    groups.insert(vrrp_group(Family::ipv4));
    groups.insert(draft.object.multicast_group4);
    if (groups.size() > most_groups)
        context.problems.error(
            draft.place("multicast_group4", named.mark),
            fmt::format("{} would be the {}th multicast group on {}", to_string(draft.object.multicast_group4),
                        groups.size(), draft.object.interface),
            fmt::format("{} is the most: instances with different vrids can share one", most_groups));
}

void check_address(Context& context, const Named<Instance>& named, const IpAddress& address, Seen& seen) {
    // A link-local address means something else on every link (RFC 4291 2.5.6).
    const bool per_link = address.family == Family::ipv6 && address.is_link_local();
    const auto [first, fresh] =
        seen.addresses.emplace(std::pair{per_link ? named.draft.object.interface : "", address}, &named);
    if (fresh) return;
    const auto& other = *first->second;
    context.problems.error(place_of(named.draft, address, named.mark),
                           fmt::format("{} is an address of instance '{}' already", to_string(address), other.name),
                           fmt::format("it stands at {}; an address has one instance",
                                       context.sources.place(place_of(other.draft, address, other.mark))));
}

std::string link_of(const Named<Instance>& named, const model::VirtualAddress& address) {
    return address.interface.empty() ? named.draft.object.interface : address.interface;
}

void check_excluded(Context& context, const Named<Instance>& named, const model::VirtualAddress& address, Seen& seen) {
    const auto [first, fresh] = seen.on_link.emplace(std::pair{link_of(named, address), address.address}, &named);
    if (fresh) return;
    const auto& other = *first->second;
    context.problems.error(place_of(named.draft, address.address, named.mark, "excluded_addresses"),
                           fmt::format("{} on {} is an address of instance '{}' already", to_string(address.address),
                                       link_of(named, address), other.name),
                           "an address has one instance, and is advertised or excluded: remove it from one");
}

/// The priority of an owner is what RFC 9568 says that it is, so nothing may be added to it.
void check_owner(Context& context, const Named<Instance>& named) {
    const auto& instance = named.draft.object;
    if (!named.draft.usable("priority") || !named.draft.usable("track") || !instance.is_owner()) return;
    for (const auto& use : instance.track)
        if (use.weight)
            context.problems.error(named.draft.place("track", named.mark),
                                   fmt::format("'{}' has priority 255, to which no weight is added: {} has weight {}",
                                               named.name, use.tracker, *use.weight),
                                   "give it a priority below 255, or track without weight");
}

} // namespace

void check_instance(Context& context, const Named<Instance>& named) {
    check_unicast(context, named);
    check_labels(context, named);
    check_owner(context, named);
    check_virtual_mac(context, named);
    check_ipvlan(context, named);
    if (!named.draft.usable("version")) return;
    if (named.draft.object.version == Version::v2)
        check_version_2(context, named);
    else
        check_version_3(context, named);
}

void check_groups(Context& context, const std::vector<Named<model::Group>>& groups,
                  const std::vector<Named<Instance>>& instances) {
    std::map<std::string_view, const Named<model::Group>*> seen;
    for (const auto& named : groups) {
        const auto place = named.draft.place("instances", named.mark);
        std::size_t owners = 0, known = 0;
        for (const auto& member : named.draft.object.instances) {
            const auto [first, fresh] = seen.emplace(member, &named);
            if (!fresh)
                context.problems.error(
                    place, fmt::format("instance '{}' is in sync group '{}' already", member, first->second->name),
                    "an instance moves with one group: join the two, or remove it from one");
            const auto at = std::ranges::find(instances, member, &Named<Instance>::name);
            if (at == instances.end() || !at->draft.usable("priority")) continue;
            ++known;
            owners += at->draft.object.is_owner();
            for (const auto& use : named.draft.object.track)
                if (std::ranges::find(at->draft.object.track, use.tracker, &model::TrackUse::tracker) !=
                    at->draft.object.track.end())
                    context.problems.error(
                        named.draft.place("track", named.mark),
                        fmt::format("tracker '{}' is tracked by instance '{}' and by its group", use.tracker, member),
                        "keep one of the two");
        }
        if (owners > 0 && owners < known)
            context.problems.error(place,
                                   fmt::format("sync group '{}' mixes owners (priority 255) with others", named.name),
                                   "an owner never leaves, so the others could not follow: take it out of the group");
    }
}

void check_together(Context& context, const std::vector<Named<Instance>>& instances) {
    Seen seen;
    for (const auto& named : instances) {
        const auto& draft = named.draft;
        if (!draft.usable("interface") || !draft.usable("addresses")) continue;
        const bool is_router = draft.has("interface") && draft.has("vrid") && draft.usable("vrid");
        for (const auto family : {Family::ipv4, Family::ipv6})
            if (is_router && has_family(draft.object, family)) check_router(context, named, family, seen);
        check_group(context, named, seen);
        for (const auto& address : draft.object.addresses) {
            check_address(context, named, address.address, seen);
            seen.on_link.emplace(std::pair{link_of(named, address), address.address}, &named);
        }
    }
    check_own_links(context, instances);
    for (const auto& named : instances)
        if (named.draft.usable("interface") && named.draft.usable("excluded_addresses"))
            for (const auto& address : named.draft.object.excluded_addresses)
                check_excluded(context, named, address, seen);
}

} // namespace holdfast::config
