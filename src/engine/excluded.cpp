// Excluded addresses: up to ten thousand that a router takes along without advertising them. They are reconciled and announced
// as the others are, but a slice in each turn, so that no advert waits for them.

#include "engine/engine.hpp"

#include <algorithm>

namespace holdfast::engine {
namespace {

constexpr std::size_t in_flight_at_once = 256; ///< as much as the executor takes in one slice
constexpr std::size_t looked_at_in_a_turn = 256;
constexpr std::size_t announced_in_a_turn = 64;
constexpr Duration between_announcements = 1ms;
constexpr Duration between_passes = 900ms; ///< the rounds of a takeover at 10 and 100 ms are not for these

} // namespace

/// The router's count of what is there follows each change, because counting anew would take too long.
void Engine::note_presence(const AddressKey& key, AddressSlot& slot) {
    auto* router = router_of(slot);
    const bool there = kernel_.address(key) != nullptr;
    if (!router || slot.there == there) return;
    slot.there = there;
    auto& count = slot.excluded ? router->excluded.there : router->keys_there;
    count = there ? count + 1 : count - 1;
    router->view_changed = view_changed_ = true;
    // The last of the others makes way for these.
    if (!slot.excluded && there && count == router->keys.size()) router->excluded.begin();
}

/// Those of routers that leave come before the advertised addresses, those of masters behind them.
void Engine::sweep_excluded(bool leaving) {
    std::size_t budget = looked_at_in_a_turn;
    for (auto& router : routers_)
        if (router && !router->excluded.looked_at() && vrrp::holds_addresses(router->state) != leaving)
            sweep(*router, budget);
}

void Engine::sweep(Router& router, std::size_t& budget) {
    auto& excluded = router.excluded;
    for (; !excluded.looked_at(); ++excluded.next) {
        if (excluded_in_flight_ >= in_flight_at_once) return; // their answers go on here
        if (budget == 0) {
            sweep_at_ = now_;
            return;
        }
        --budget;
        const auto at = addresses_.find(excluded.keys[excluded.next]);
        if (at == addresses_.end()) continue;
        if (at->second.issued < excluded.renewed_from) at->second.renew_at = now_;
        reconcile(at->first, at->second);
    }
}

// ---- announcing -----------------------------------------------------------------------------------------------------------

/// Begins a pass over all of them.
void Engine::announce_excluded(Router& router) {
    auto& excluded = router.excluded;
    if (excluded.keys.empty() || excluded.announce_at != never || now_ - excluded.announce_began < between_passes)
        return;
    excluded.announce_began = excluded.announce_at = now_;
    excluded.announced = 0;
    deadlines_[router.slot] = router_deadline(router);
}

void Engine::announce_slice(Router& router) {
    auto& excluded = router.excluded;
    for (std::size_t i = 0; i < announced_in_a_turn && excluded.announced < excluded.keys.size(); ++i) {
        const auto& key = excluded.keys[excluded.announced++];
        if (const auto* known = kernel_.address(key); known && !known->tentative) announce(router, key);
    }
    excluded.announce_at = excluded.announced < excluded.keys.size() ? now_ + between_announcements : never;
}

} // namespace holdfast::engine
