#include "engine/kernel_view.hpp"

namespace holdfast::engine {

void KernelView::replace(const KernelListed& listed, Time now) {
    links_.clear();
    addresses_.clear();
    others_.clear();
    for (const auto& link : listed.links)
        set(link);
    for (const auto& address : listed.addresses)
        set(address, now);
    listed_ = true;
}

void KernelView::remove(LinkIndex index) {
    links_.erase(index);
    std::erase_if(addresses_, [&](const auto& entry) { return entry.first.link == index; });
    std::erase_if(others_, [&](const AddressKey& key) { return key.link == index; });
}

void KernelView::set(const KernelAddress& address, Time now) {
    auto [at, is_new] = addresses_.try_emplace({address.link, address.prefix});
    if (is_new) at->second.order = ++order_;
    at->second.ours = address.ours;
    at->second.tentative = address.tentative;
    at->second.expires = address.lifetime ? now + *address.lifetime : never;
    at->second.traits = address.traits;
    at->second.is_duplicate = address.is_duplicate;
    if (address.ours)
        others_.erase(at->first);
    else
        others_.insert(at->first);
}

const Link* KernelView::link(LinkIndex index) const {
    const auto at = links_.find(index);
    return at == links_.end() ? nullptr : &at->second;
}

const Link* KernelView::link(const std::string& name) const {
    for (const auto& [index, link] : links_)
        if (link.name == name) return &link;
    return nullptr;
}

const KernelView::Address* KernelView::address(const AddressKey& key) const {
    const auto at = addresses_.find(key);
    return at == addresses_.end() ? nullptr : &at->second;
}

bool KernelView::has_own(LinkIndex link, const IpAddress& ip) const {
    for (auto at = others_.lower_bound({link, {ip, 0}}); at != others_.end() && at->link == link; ++at) {
        if (at->prefix.address != ip) return false;
        if (!address(*at)->tentative) return true;
    }
    return false;
}

bool KernelView::covered_by_others(const AddressKey& key) const {
    for (auto at = others_.lower_bound({key.link, {}}); at != others_.end() && at->link == key.link; ++at)
        if (at->prefix.length == key.prefix.length && key.prefix.contains(at->prefix.address)) return true;

    return false;
}

} // namespace holdfast::engine
