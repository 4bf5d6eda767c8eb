// Routes and rules: what goes with the addresses of a router, and the static ones, which the daemon itself wants as long as it
// runs. Pure, as the Engine that owns it. One invariant: a slot for each that somebody wants or that is left of a process before
// us, and what is asked of the kernel is the difference between what its owner wants now and what the kernel has. The files
// behind this class: extras (who wants what, reconciling, answers) and extras_news (what the kernel tells, views). What its
// Host answers stands in extras_host.
#pragma once

#include "engine/action.hpp"
#include "engine/event.hpp"
#include "engine/kernel_view.hpp"
#include "engine/plan.hpp"
#include "engine/restore_pace.hpp"
#include "engine/snapshot.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace holdfast::engine {

/// The kernel's identity of a route or rule. Routes sort before rules: they are added first and removed last.
using ExtraKey = std::variant<model::RouteId, model::Rule>;

class Extras {
  public:
    /// A router, by its slot; nothing: the daemon itself.
    using Owner = std::optional<std::uint32_t>;

    /// What it must know of the owners, and what they are told.
    class Host {
      public:
        virtual ~Host() = default;
        /// They are to be there; `installed`: the one in question is.
        virtual bool wants_extras(Owner, bool installed) const = 0;
        /// What is there may be exchanged for another form of it.
        virtual bool may_replace_extras(Owner) const = 0;
        /// The address that a route of this router sends from is there, if the router is to bring it.
        virtual bool has_source(std::uint32_t router, const IpAddress&) const = 0;

        virtual void extras_changed(Owner) = 0; ///< to be settled, and shown
        virtual void concern_group(const std::string& group) = 0;
        virtual void extra_restored(Owner, const std::string& text) = 0;
        virtual void extra_refused(Owner, const std::string& text) = 0;
        virtual void tracked_extra_refused(std::uint32_t router, int error, const std::string& text) = 0;
    };
    struct Turn {
        Time now{};
        Actions& out;
        KernelView& kernel;
        std::uint64_t& next_operation;
        Host& host;
    };

    /// The slots of this owner follow its model, which `keeper` keeps; what it wants no longer is nobody's.
    void claim(Owner, std::span<const model::Route>, std::span<const model::Rule>,
               const std::shared_ptr<const void>& keeper);
    void drop(std::uint32_t router) { claim(router, {}, {}, nullptr); }

    /// To be looked at by the next reconcile(), because what their owner wants may have changed.
    void mark(std::uint32_t router);
    void mark_waiting(std::uint32_t router, const KernelView&); ///< those that are not there
    void mark_all(Turn);
    /// When what backs off is to be marked again, or `never`.
    Time reconcile(Turn);

    void on(const RouteChanged&, Turn);
    void on(const RouteRemoved&, Turn);
    void on(const RuleChanged&, Turn);
    void on(const RuleRemoved&, Turn);
    /// True when the operation was one of these.
    bool done(const OperationDone&, Turn);
    /// The mirror was replaced; `before`: what was installed until then.
    void kernel_listed(const std::set<ExtraKey>& before, Turn);
    static std::set<ExtraKey> installed_in(const KernelView&);

    /// A route sends from this address.
    bool any_comes_from(const IpAddress&) const;
    bool are_gone(const KernelView&) const;
    bool are_gone(std::uint32_t router, const KernelView&) const;
    /// Why a static one can't be there; one that was deleted and is just being put back is not lost yet.
    std::optional<std::string> why_lost(const ExtraKey&, const KernelView&) const;
    std::vector<ExtraView> views(const std::vector<model::Route>&, const KernelView&) const;
    std::vector<ExtraView> views(const std::vector<model::Rule>&, const KernelView&) const;

  private:
    using Wish = std::variant<std::monostate, std::shared_ptr<const model::Route>, std::shared_ptr<const model::Rule>>;

    static constexpr unsigned refusals_at_once = 5; ///< an address or a link may be about to be ready

    struct Slot {
        Wish wish; ///< nothing: nobody wants it
        std::uint32_t router{};
        bool is_static{false};                ///< the daemon's own, no router's
        bool stale{true};                     ///< what the kernel has may be another form of it
        std::optional<OperationId> operation; ///< in flight
        bool removing{false};                 ///< what is in flight
        bool gone_meanwhile{false};           ///< a deletion was told while it was
        bool foreign{false};                  ///< another one of this identity is in the way
        bool was_deleted{false};              ///< by somebody else: told when it is back
        Time not_before{};
        RestorePace restores;
        unsigned refusals{0};
        std::string refused; ///< why

        bool is_wanted() const { return !std::holds_alternative<std::monostate>(wish); }
        bool is_of(std::uint32_t owner) const { return is_wanted() && !is_static && router == owner; }
        /// Of one that is wanted; what nobody wants has no router either.
        Owner owner() const { return is_wanted() && !is_static ? Owner{router} : std::nullopt; }
        /// Too often to call it a matter of time.
        bool is_refused() const { return refusals >= (foreign ? 2 : refusals_at_once); }
        /// The sync group that depends on it; empty: none.
        const std::string& track_group() const;
        bool is_tracked() const;
        bool stands_beside_others() const;
    };

    // extras.cpp
    static bool same(const Wish&, const Wish&);
    void claim_one(const ExtraKey&, Wish, Owner);
    static void concern_group_of(const Slot&, Turn);
    static bool is_installed(const ExtraKey&, const KernelView&);
    static bool are_links_up(const model::Route&, const KernelView&);
    static bool can_be_added(Owner, const model::Route&, Turn);
    static bool desired(const ExtraKey&, const Slot&, Turn);
    Time reconcile(const ExtraKey&, bool removals, Turn);
    static OperationBody body_of(const ExtraKey&, const Slot&, ExtraStep, const KernelView&);
    static void removed(const ExtraKey&, Slot&, int error, Turn);
    static void installed(const ExtraKey&, Slot&, Turn);
    static void refuse(const ExtraKey&, Slot&, int error, Turn);

    // extras_news.cpp
    void gone(const ExtraKey&, bool told, Turn);
    ExtraView view(const ExtraKey&, std::string text, const KernelView&) const;

    std::map<ExtraKey, Slot> slots_;
    std::vector<ExtraKey> dirty_;
    std::unordered_map<std::uint64_t, ExtraKey> operations_; ///< in flight
};

} // namespace holdfast::engine
