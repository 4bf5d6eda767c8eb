// Excluded addresses: up to ten thousand that a router takes along without advertising them. They are reconciled
// as the others are, but a slice in each turn, so that no advert waits for them.

#include "engine/engine.hpp"

#include <algorithm>

namespace holdfast::engine {
namespace {

constexpr std::size_t in_flight_at_once = 256; ///< as much as the executor takes in one slice
constexpr std::size_t looked_at_in_a_turn = 256;

} // namespace

/// What nobody advertises, and what nobody wants any more: thousands of these must not stand before the renewal of an address
/// that is served, because the executor takes everything in order.
bool Engine::is_bulk(const AddressSlot& slot) {
    return slot.excluded || !slot.has_router;
}

bool Engine::may_issue_bulk() const {
    return bulk_in_flight_ < in_flight_at_once;
}

/// The router's count of what is there follows each change, because counting anew would take too long.
void Engine::note_presence(const AddressKey& key, AddressSlot& slot) {
    auto* router = router_of(slot);
    const bool there = kernel_.address(key) != nullptr;
    if (!router || slot.there == there) return;
    slot.there = there;
    auto& count = slot.excluded ? router->excluded.there : router->keys_there;
    count = there ? count + 1 : count - 1;
    router->view_changed = view_changed_ = true;
    // The last of the advertised ones makes way for these, and for what needs them.
    if (!slot.excluded && there && count == router->keys.size()) router->excluded.begin();
    const bool has_extras = !router->model->routes.empty() || !router->model->rules.empty();
    if (has_extras && (slot.excluded || count == router->keys.size())) {
        extras_.mark_waiting(router->slot, kernel_);
        settle_needed_ = true;
    }
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
        if (!may_issue_bulk()) return; // their answers go on here
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

} // namespace holdfast::engine
