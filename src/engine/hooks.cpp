// What an instance's `notify` asks of the engine itself: transitions that are no state edges, and the two hooks. Only the
// removal of a leaving node's addresses waits for a hook, and never beyond its limit: no advert, no state and no deadline of
// the election looks at it.

#include "engine/engine.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr Duration lower_adverts_told_every = 1s;

} // namespace

void Engine::notice(Router& router, TransitionKind kind) {
    const std::string state{vrrp::name(router.state)};
    if (state != "master" && state != "backup") return;
    view_changed_ = true;
    record_edge({.instance = router.name(),
                 .from = state,
                 .to = state,
                 .priority = router.self.priority,
                 .kind = kind,
                 .model = router.model});
}

/// A master heard somebody below itself: a flood of these is told once a second.
void Engine::notice_lower_advert(Router& router, const vrrp::Heard& heard) {
    if (!router.model->notify.wants_lower_advert() || heard.priority == leaving_priority ||
        heard.priority >= router.self.priority || now_ < router.lower_told + lower_adverts_told_every)
        return;
    router.lower_told = now_;
    notice(router, TransitionKind::lower_advert);
}

// ---- before_removal -------------------------------------------------------------------------------------------------------

void Engine::begin_removal_hook(Router& router) {
    const auto& notify = router.model->notify;
    if (notify.before_removal.empty()) return;
    router.hook = next_hook_++;
    router.hook_until = now_ + notify.hook_timeout;
    out_->push_back(RunHook{router.hook, "before_removal", router.model, "master", router.self.priority});
}

void Engine::end_removal_hook(Router& router) {
    if (!router.hook_until) return;
    router.hook_until.reset();
    router.hook = 0;
    mark_addresses(router);
}

/// What is there stays there; nothing is added for a hook.
bool Engine::waits_for_hook(const Router& router, const AddressKey& key) const {
    return router.hook_until && now_ < *router.hook_until && kernel_.address(key);
}

// ---- after_adding ---------------------------------------------------------------------------------------------------------

void Engine::run_adding_hook(Router& router) {
    if (router.adding_told || !std::holds_alternative<vrrp::Master>(router.state)) return;
    const auto missing = [&](const AddressKey& key) { return !kernel_.address(key); };
    if (std::ranges::any_of(router.keys, missing) || router.excluded.there < router.excluded.keys.size()) return;
    router.adding_told = true;
    out_->push_back(RunHook{next_hook_++, "after_adding", router.model, "master", router.self.priority});
}

void Engine::handle(const ScriptEnded& event) {
    for (auto& router : routers_) {
        if (!router || router->name() != event.object) continue;
        router->script = ScriptView{event.what, event.ok, event.detail, event.took, now_};
        router->view_changed = view_changed_ = true;
        if (event.hook != 0 && event.hook == router->hook) end_removal_hook(*router);
    }
    tell(event.ok ? Severity::info : Severity::warning, NoteKind::script_ended, event.object,
         fmt::format("{}: {} script {} after {}: {}", event.object, event.what, event.ok ? "ended" : "failed",
                     to_string(std::chrono::duration_cast<std::chrono::milliseconds>(event.took)), event.detail));
}

} // namespace holdfast::engine
