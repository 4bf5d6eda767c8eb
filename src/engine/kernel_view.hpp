// What the kernel last said about links and addresses: a mirror, never a wish. Everything here came from an event.
#pragma once

#include "engine/event.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace holdfast::engine {

/// The kernel's own identity of an address on a link.
struct AddressKey {
    LinkIndex link{};
    Prefix prefix;
    friend auto operator<=>(const AddressKey&, const AddressKey&) = default;
};

class KernelView {
  public:
    void replace(const KernelListed&, Time now);
    void set(const Link& link) { links_[link.index] = link; }
    void remove(LinkIndex);
    void set(const KernelAddress&, Time now);
    void remove(const AddressKey& key) {
        addresses_.erase(key);
        others_.erase(key);
    }

    struct Address {
        bool ours{false};
        bool tentative{false};
        Time expires{never};
        std::uint64_t order{}; ///< of arrival: the kernel's first address of a link is its primary one
        AddressTraits traits{};
        bool is_duplicate{false};
        bool operator==(const Address&) const = default;
    };

    void set(const KernelRoute&, bool replaces);
    void remove(const KernelRoute&);
    void set(const std::shared_ptr<const model::Rule>& rule) { rules_.insert(*rule); }
    void remove(const model::Rule& rule) { rules_.erase(rule); }
    void forget(const model::RouteId& id) { routes_.erase(id); }
    /// Ours.
    const KernelRoute* route(const model::RouteId&) const;
    bool has(const model::Rule& rule) const { return rules_.contains(rule); }
    const std::map<model::RouteId, KernelRoute>& routes() const { return routes_; }
    const std::set<model::Rule>& rules() const { return rules_; }
    /// Of others, as far as they are watched.
    const std::vector<KernelRoute>& other_routes() const { return other_routes_; }

    const Link* link(LinkIndex) const;
    const Link* link(const std::string& name) const;
    const std::map<LinkIndex, Link>& links() const { return links_; }
    const Address* address(const AddressKey&) const;
    const std::map<AddressKey, Address>& addresses() const { return addresses_; }
    bool listed() const { return listed_; }

    /// The address a router sends from: the link's first of the family that is not ours and not virtual; for IPv6 a usable
    /// link-local one (RFC 9568 5.1.2.1), unless unicast peers live beyond the link.
    template <typename IsVirtual>
    std::optional<IpAddress> primary(LinkIndex link, Family family, IsVirtual is_virtual, bool global = false) const {
        const Address* best = nullptr;
        std::optional<IpAddress> result;
        for (auto at = others_.lower_bound({link, {}}); at != others_.end() && at->link == link; ++at) {
            const auto& ip = at->prefix.address;
            const auto* known = address(*at);
            if (ip.family != family || known->tentative || is_virtual(ip)) continue;
            if (family == Family::ipv6 && ip.is_link_local() == global) continue;
            if (best && best->order < known->order) continue;
            best = known;
            result = ip;
        }
        return result;
    }

    /// The link has this address, usable and not as one of ours.
    bool has_own(LinkIndex link, const IpAddress& ip) const;

    /// Some address of another owner on the link already has `prefix` on link.
    bool covered_by_others(const AddressKey& key) const;

  private:
    std::map<LinkIndex, Link> links_;
    std::map<AddressKey, Address> addresses_;
    std::set<AddressKey> others_; ///< those that are not ours: few, however many we serve
    std::map<model::RouteId, KernelRoute> routes_;
    std::set<model::Rule> rules_;
    std::vector<KernelRoute> other_routes_;
    std::uint64_t order_{0};
    bool listed_{false};
};

} // namespace holdfast::engine
