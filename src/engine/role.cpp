// The real server's role: this host holds the addresses of services whose packets a director sends on to it unchanged. They are
// on `lo`, and wherever a client could ask for them the host is told to keep silent first: an address that is there, but
// neither answered for nor announced, claims nothing. How the links were before stands in the record, and is put back.

#include "engine/engine.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr Duration look_again = 10s;           ///< a setting that somebody changes is told by nobody
constexpr std::size_t looked_at_again = 2'000; ///< addresses: more take too long

} // namespace

void Engine::find_role() {
    role_ = model::role_of(*config_);
    for (auto& [index, parent] : parents_)
        parent.refused = false;
    if (!role_.addresses.empty()) out_->push_back(ListKernel{}); // what was refused may have been set by hand
    statics_stale_ = links_dirty_ = settle_needed_ = true;
}

/// A link on which somebody may look for one of the addresses: the director's packets come in there, or its network has them.
bool Engine::asks_for_role(const Link& link) const {
    if (!link.has_arp || link.ours) return false;
    const auto concerns = [&](const Prefix& own) {
        if (own.address.family != Family::ipv4) return false;
        return std::ranges::binary_search(role_.own, own.address) ||
               std::ranges::any_of(role_.addresses, [&](const IpAddress& each) { return own.contains(each); });
    };
    const auto& all = kernel_.addresses();
    for (auto at = all.lower_bound({link.index, {}}); at != all.end() && at->first.link == link.index; ++at)
        if (!at->second.ours && concerns(at->first.prefix)) return true;
    return std::ranges::any_of(routers_, [&](const auto& router) {
        return router && router->link == link.index && std::ranges::any_of(router->keys, [&](const AddressKey& key) {
                   return key.prefix.address.family == Family::ipv4 &&
                          std::ranges::binary_search(role_.addresses, key.prefix.address);
               });
    });
}

/// Those that ask, as long as an address of the role is there or is to be.
QuietLinks Engine::links_of_role() {
    const auto is_ipv4 = [](const IpAddress& address) { return address.family == Family::ipv4; };
    const bool ends = statics_released_ && config_->ipvs.role_at_stop == model::AtStop::end;
    if (!ends && std::ranges::any_of(role_.addresses, is_ipv4)) {
        role_links_.clear();
        for (const auto& [index, link] : kernel_.links())
            if (asks_for_role(link)) role_links_.insert(index);
        if (addresses_.size() <= looked_at_again) list_at_ = std::min(list_at_, now_ + look_again); // nobody tells
    } else if (!role_links_.empty() && !is_role_left()) {
        role_links_.clear();
    }
    QuietLinks result;
    for (const auto index : role_links_)
        result[index].insert(Quiet::role);
    return result;
}

/// An address of ours is on `lo` still.
bool Engine::is_role_left() const {
    const auto* const lo = kernel_.link(role_link);
    if (!lo) return false;
    for (auto at = addresses_.lower_bound({lo->index, {}}); at != addresses_.end() && at->first.link == lo->index;
         ++at) {
        const auto* const known = kernel_.address(at->first);
        if (at->second.operation || (known && known->ours)) return true;
    }
    return false;
}

/// Before the first address comes: a host that answers for it would take clients from their director.
bool Engine::is_role_quiet() const {
    return std::ranges::all_of(role_links_, [this](const LinkIndex index) {
        const auto* const link = kernel_.link(index);
        return !link || link->ipv4.arp == role_settings(link->ipv4.arp) ||
               link->ipv4.arp == parent_settings(link->ipv4.arp);
    });
}

void Engine::role_refused(const Link& link, int error) {
    tell_limited(std::uint64_t{link.index.value} << 8 | 1, Severity::error, NoteKind::address_refused, "",
                 fmt::format("arp_ignore and arp_announce can't be set on {} ({}), so this host does not take the "
                             "addresses of the services that it is a real server of: it would answer for them; set "
                             "net.ipv4.conf.{}.arp_ignore=1 and arp_announce=2",
                             link.name, std::strerror(error), link.name));
}

} // namespace holdfast::engine
