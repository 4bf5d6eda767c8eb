// All virtual routers, trackers and addresses of this node together: events in, actions out. Pure: no socket, clock, file,
// thread or randomness. One invariant above all: what is programmed, sent and shown follows from the state; nothing is kept
// twice. The files behind this class: engine (dispatch, deadlines), commands, packets, announce, assess (faults, readiness, priority),
// group (what sync groups decide together), addresses (reconciling), excluded, links (macvlans), static_addresses (the daemon's
// own), extras_host and static_extras (routes and rules, whose class is Extras), role (the real server's side), filter and guard
// (the packet filter), balance (virtual servers, whose class is Servers), reload (configuration, trackers), succession (from one
// process to the next), views (snapshot, record).
#pragma once

#include "engine/action.hpp"
#include "engine/authenticate.hpp"
#include "engine/event.hpp"
#include "engine/extras.hpp"
#include "engine/kernel_view.hpp"
#include "engine/plan.hpp"
#include "engine/router.hpp"
#include "engine/servers.hpp"
#include "engine/slots.hpp"
#include "engine/snapshot.hpp"
#include "model/role.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

namespace holdfast::engine {

class Engine final : private Extras::Host {
  public:
    /// Appends what is to be done to `out`, in the order in which it must be done.
    void on(const Event& event, Time now, Actions& out);
    /// What came together is settled together: answers to a thousand renewals cost one look at all routers, not a thousand.
    void on(std::span<const Event> events, Time now, Actions& out);

    /// This event comes soon: what it will look at may be fetched from memory meanwhile. Changes nothing.
    void expect(const Event&) const;

    /// When `Elapsed` is wanted, or `never`. A time in the past means now.
    Time next_deadline() const;

    /// The state as views show it. Cheap when nothing changed: the same pointer.
    std::shared_ptr<const Snapshot> snapshot();
    /// Something that a view shows has changed since the last snapshot(), counters aside.
    bool view_changed() const { return view_changed_; }
    /// Counters too, for a periodic refresh.
    void touch_counters();

    /// What the next process needs to adopt; `record_changed` says that the last one taken is out of date.
    Record record();
    bool record_changed() const { return record_changed_ || servers_.record_changed(); }

    // For tests and monitors.
    const std::vector<std::unique_ptr<Router>>& routers() const { return routers_; }
    const KernelView& kernel() const { return kernel_; }
    bool is_stopping() const { return stopping_ || returning_; }

  private:
    using ListenerKey = std::pair<LinkIndex, Family>;

    // dispatch
    void handle(const AdvertReceived&);
    void handle(const AdvertRejected&);
    void handle(const QueueOverflowed&);
    void handle(const AnnouncementSeen&);
    void handle(const LinkChanged&);
    void handle(const LinkRemoved&);
    void handle(const AddressChanged&);
    void handle(const AddressRemoved&);
    void handle(const RouteChanged&);
    void handle(const RouteRemoved&);
    void handle(const RuleChanged&);
    void handle(const RuleRemoved&);
    void handle(const KernelListed&);
    void handle(const OperationDone&);
    void handle(const ListenDone&);
    void handle(const FilterDone&);
    void handle(const TrackerObserved&);
    void handle(const ScriptEnded&);
    void handle(const Recovered&);
    void handle(const WallClockSet&);
    void handle(const ConfigLoaded&);
    void handle(const Commanded&);
    void handle(const CheckObserved& event) { serve(event); }
    void handle(const IpvsRead& event) { serve(event); }
    void handle(const IpvsDone& event) { serve(event); }
    void handle(const UpstreamsWritten& event) { serve(event); }
    void handle(const MaintenanceSet&);
    void handle(const ServerCommanded& event) { serve(event); }
    void handle(const StopRequested&);
    void handle(const Elapsed&);

    // engine.cpp
    void settle();
    void apply(Router&, const vrrp::Event&);
    void note_lateness(Router&, const vrrp::Master&) const;
    void entered(Router&, const vrrp::State& before, vrrp::Reason);
    void look_at_leases();
    void watch_leases();
    void retry_waiting();
    void finish_released();
    Time router_deadline(const Router&) const;
    void elapsed(Router&);
    void record_edge(Transition);
    void share_wakeups(Router&);

    // commands.cpp
    struct Refused {
        CommandError error{};
        std::string text;
    };
    std::vector<Router*> routers_called(const std::string& name) const;
    void run_commands();
    std::optional<Refused> why_not(const InstanceCommand&, const std::vector<Router*>& named) const;
    std::optional<Refused> obey(const Failover&, std::uint64_t id, const std::vector<Router*>& named);
    std::optional<Refused> obey(const Takeover&, std::uint64_t id, const std::vector<Router*>& named);
    std::optional<Refused> obey(const SetPriority&, std::uint64_t id, const std::vector<Router*>& named);
    std::optional<Refused> obey(const AnnounceNow&, std::uint64_t id, const std::vector<Router*>& named);
    void done(std::uint64_t command, std::string text);
    void answer_failover(Router&);
    int add_orders(const Router&, int sum, std::vector<Contribution>&) const;

    // succession.cpp
    bool hands_over_at_restart(const Router&) const;
    bool ends(const Router&) const;
    void make_way_for_next(Duration takes);
    bool way_is_made() const;
    void say_once_more();
    void finish_if_stopped();

    // packets.cpp
    Router* route(LinkIndex, const IpAddress& source, const IpAddress& destination, Vrid);
    std::optional<wire::Reject> wrong_transport(const Router&, const AdvertReceived&) const;
    std::vector<std::shared_ptr<const Bytes>> encode_adverts(const Router&, Priority) const;
    std::optional<wire::Reject> unacceptable(const Router&, const AdvertReceived&) const;
    void use_up_number(Router&, const AdvertReceived&);
    Clocks clocks() const { return {now_, WallTime{now_.time_since_epoch() + wall_ahead_}}; }
    void reject(Router&, wire::Reject, const IpAddress& source);
    void remember_peer(Router&, const AdvertReceived&);
    void send(Router&, Priority, std::uint8_t copies);
    void emit(Router&, SendAdvert&&);
    void push_advert(Router&, SendAdvert&&);
    void announced_elsewhere(LinkIndex where, const wire::Announcement&);
    void index_routes();
    void narrow_listeners();

    // announce.cpp
    void begin_rounds(Router&, unsigned first_round);
    void start_rounds(Router&, unsigned first_round);
    void announce_in_contest(Router&);
    void follow_schedule(Router&);
    void next_round(Router&);
    void change_schedule(Router&, const model::Instance& before);
    std::optional<Announce> announcement_of(const Router&, const AddressKey&) const;
    std::size_t how_many(const Router&, Announced) const;
    std::optional<AddressKey> announced(const Router&, Announced, std::size_t item) const;
    AnnounceLaneKey lane_key(LinkIndex) const;
    AnnounceLane* lane_of(const Router&, LinkIndex);
    void regroup_lanes();
    void push_announcement(Router&, AnnounceLane*, Announce&&);
    void announce_first(Router&, const AddressKey&);
    void announce(Router&, unsigned times);
    void ask_for(Router&, Announced, unsigned times);
    void announce_due();
    std::optional<Announce> first_announcement(const AnnounceLane::Waiting&) const;
    void announce_waiting(AnnounceLane&);
    void turn_rings(Router&);
    Time turn_ring(Router&, Announced, std::size_t& budget);

    // group.cpp
    void index_groups();
    void told_by_partner(Router&, const vrrp::State& before);
    bool may_take_over(const Router&) const;
    void take_over_together(Router&);
    void share_what_was_heard(Router&, const AdvertReceived&);
    bool tie_is_elsewhere(Router&) const;
    std::vector<FaultCause> joint_faults(const Router&) const;
    std::string joint_waiting(const Router&) const;
    Priority joint_priority(const Router&) const;
    void join_partners(Router&);
    void note_group_states();
    void note_group_state(const GroupView&);
    std::shared_ptr<GroupView> view(const model::Group&) const;
    std::shared_ptr<const GroupView> shared_view(const model::Group&);

    // assess.cpp
    void assess_all();
    void examine(Router&);
    void decide(Router&);
    void attach(Router&, const Link*);
    void detach(Router&);
    std::vector<FaultCause> find_faults(Router&, const Link*);
    std::optional<FaultCause> find_source(Router&, LinkIndex);
    std::optional<FaultCause> find_destinations(Router&);
    Priority weigh(Router&);
    std::string find_waiting(Router&);
    void update_priority(Router&);
    void begin_if_ready(Router&);
    bool may_come_back(const Router&) const; ///< as the master that the dead process was; not ruled out yet
    bool may_adopt(const Router&, const Link&) const;
    void index_virtual_addresses();
    bool is_virtual(const IpAddress&) const;
    void mark(const std::string& interface);

    // claims.cpp
    Router* router_of(const AddressSlot&) const;
    const model::VirtualAddress& wanted(const AddressSlot&) const;
    std::optional<LinkIndex> link_of(const Router&, const model::VirtualAddress&) const;
    void claim_addresses(Router&);
    bool claim(Router&, const AddressKey&, std::uint32_t item, bool excluded, const model::Instance& before);
    void drop_claims(Router&);
    void exchange_addresses(Router&, std::shared_ptr<const model::Instance>);
    void count_addresses(Router&);
    void expect_confirmations(Router&);
    void mark_addresses(Router&);
    std::optional<Duration> lease_of(const Router&) const;
    std::optional<Duration> lease_on(const Router&, LinkIndex) const;
    bool is_under_lease(const Router&) const;
    std::optional<DesiredAddress> desired(const AddressKey&, const AddressSlot&) const;
    bool is_covered_by_others(const Router&, const AddressKey&) const;

    // addresses.cpp
    void reconcile();
    void reconcile(const AddressKey&);
    void reconcile(const AddressKey&, AddressSlot&);
    void confirmed(const AddressKey&, AddressSlot&);
    void announce_confirmed(Router&, const AddressKey&, AddressSlot&);
    void refuse(const AddressKey&, AddressSlot&, int error);
    void promotion_done(LinkIndex, int error);
    bool found_duplicate(const AddressKey&, AddressSlot&);
    void renew_round();
    void renew_early(Router&);
    bool addresses_are_gone() const;
    std::string_view address_state(const AddressKey&) const;

    // static_addresses.cpp
    void claim_statics();
    std::vector<StaticClaim> wanted_statics() const;
    std::optional<DesiredAddress> desired_static(const AddressKey&, const StaticClaim&) const;
    bool outlives_us(const AddressSlot&) const;
    bool routers_are_gone() const;
    void release_statics();
    void refuse_static(const AddressKey&, AddressSlot&, int error);
    void static_deleted(const AddressKey&, AddressSlot&);
    bool is_lost(const model::StaticAddress&) const;
    void statics_moved();
    std::vector<AddressView> view_statics() const;

    // role.cpp
    void find_role();
    QuietLinks links_of_role();
    bool is_role_left() const;
    bool asks_for_role(const Link&) const;
    bool is_role_quiet() const;
    void role_refused(const Link&, int error);

    // guard.cpp
    const Router* router_with(const IpAddress&) const;
    void leave_guarded_services();
    Guard guard() const;
    Time director_known_at() const;
    bool knows_director() const;
    void learn_director(const Router&);

    // links.cpp
    bool holds_address(const Router&) const;
    bool is_done_with_link(const Router&) const;
    std::optional<DesiredLink> desired_link(const Router&) const;
    void find_address_link(Router&);
    bool is_parent_ready(const DesiredLink&) const;
    std::optional<FaultCause> find_link_fault(const Router&) const;
    void reconcile_links();
    void reconcile_link(Router&, const DesiredLink&);
    OperationId start_link_operation(const std::string& name, const OperationBody&, Time not_after);
    void remember_parent(LinkIndex);
    void recall_parents();
    void reconcile_parents(const QuietLinks& wanted);
    bool link_operation_done(const OperationDone&);
    void link_changed_by_us(const LinkOperation&);
    void link_refused(const LinkOperation&, int error);
    void wait_to_repeat(const LinkOperation&, Duration);
    void parent_done(const SetArp&, const OperationDone&);
    bool links_are_gone() const;

    // filter.cpp
    std::vector<IpAddress> refused_addresses() const;
    void reconcile_filter();
    void note_guard(bool is_new);
    std::optional<FaultCause> filter_warning() const;
    bool filter_is_gone() const;

    // excluded.cpp
    void sweep(Router&, std::size_t& budget);
    void sweep_excluded(bool leaving);
    void note_presence(const AddressKey&, AddressSlot&);
    static bool is_bulk(const AddressSlot&);
    bool may_issue_bulk() const;

    // extras_host.cpp, static_extras.cpp
    Extras::Turn extras_turn() { return {now_, *out_, kernel_, next_operation_, *this}; }
    void expect_lost_routes();
    void claim_extras(Router&);
    std::optional<FaultCause> find_static_fault(const Router&) const;
    bool wants_extras(Extras::Owner, bool installed) const override;
    bool may_replace_extras(Extras::Owner) const override;
    bool has_source(std::uint32_t router, const IpAddress&) const override;
    void extras_changed(Extras::Owner) override;
    void concern_group(const std::string& group) override;
    void extra_restored(Extras::Owner, const std::string& text) override;
    void extra_refused(Extras::Owner, const std::string& text) override;
    void tracked_extra_refused(std::uint32_t router, int error, const std::string& text) override;

    // route_tracker.cpp
    void observe_routes();
    void watch_routes();

    // other_links.cpp
    void listen_on(const ListenerKey&);
    void stop_listening(const ListenerKey&);
    void promote_on(LinkIndex);
    void attach_other_links(Router&);
    void listen_for_announcements(Router&);
    std::optional<FaultCause> find_other_links(const Router&) const;

    // balance.cpp
    void serve(const auto& event) {
        with_servers([&](Servers::Turn turn) { servers_.on(event, turn); });
        // Addresses may have waited for the table, and the daemon's end for the last service.
        settle_needed_ = settle_needed_ || stopping_ || !servers_.followed().empty();
    }
    void with_servers(const std::function<void(Servers::Turn)>&);
    void follow_masters();
    void find_unnamed_hosts();
    void wait_for_table(Router&, bool ready);
    bool has_addresses(const Router&) const;
    bool waits_for_table(const Router&, const AddressKey&) const;
    bool servers_are_gone();
    void observe_servers();

    // hooks.cpp
    void notice(Router&, TransitionKind);
    void notice_lower_advert(Router&, const vrrp::Heard&);
    void begin_removal_hook(Router&);
    void end_removal_hook(Router&);
    void run_adding_hook(Router&);
    bool waits_for_hook(const Router&, const AddressKey&) const;

    // reload.cpp
    void add_router(std::shared_ptr<const model::Instance>);
    void change_router(Router&, std::shared_ptr<const model::Instance>);
    void recover(Router&) const;
    void remember_for_replacement(const Router&);
    void retire(Router&);
    void sweep_retired();
    void reload_trackers(const model::Config& before, const model::Config& after);
    void observe_interfaces();
    /// What of a tracker can move an instance.
    using TrackerEffect = std::pair<Verdict, std::int64_t>;
    static TrackerEffect effect_of(const TrackerState& tracker) { return {tracker.verdict, tracker.value}; }
    void tracker_changed(TrackerState&, TrackerEffect before);
    void restart(const TrackerState&);

    // findings.cpp
    void find(Router&, FaultCause);
    void forget_findings(Router&);
    void note_reject(Router&, wire::Reject, const IpAddress& source);
    bool note_oddities(Router&, const AdvertReceived&);
    void note_stranger(Router&, const AdvertReceived&);
    void note_contest(Router&, const AdvertReceived&);
    void note_pause(Router&, Duration late);
    void note_unknown(const AdvertReceived&);
    void note_rival(Router&, const wire::Announcement&);

    // views.cpp
    std::shared_ptr<const InstanceView> view(const Router&) const;
    std::shared_ptr<const TrackerView> view(const TrackerState&) const;
    void tell(Severity, NoteKind, const std::string& object, std::string text);
    void complain(Severity, NoteKind, const Router&, unsigned detail, std::string text);
    void tell_limited(std::uint64_t key, Severity, NoteKind, const std::string& object, std::string text);

    std::shared_ptr<const model::Config> config_ = std::make_shared<const model::Config>();
    std::vector<IpAddress> virtual_addresses_; ///< of config_, sorted
    KernelView kernel_;
    std::vector<std::unique_ptr<Router>> routers_; ///< by slot; empty slots are null
    std::vector<Time> deadlines_;                  ///< by slot
    /// (link, family, vrid) and a slot: several of one key where they have disjoint unicast peers.
    using RouteEntry = std::pair<std::uint64_t, std::uint32_t>;
    std::vector<RouteEntry> routes_; ///< sorted; every advert is looked up here
    bool routes_stale_{false};       ///< indexed anew at the end of the turn
    std::map<std::string, TrackerState> trackers_;
    Servers servers_;
    Extras extras_;
    std::map<AddressKey, AddressSlot> addresses_;
    std::vector<AddressKey> dirty_addresses_;
    std::unordered_map<std::uint64_t, AddressKey> operations_; ///< in flight
    std::unordered_map<std::uint64_t, LinkIndex> promotions_;  ///< in flight
    std::map<LinkIndex, Promote> promoted_;
    std::map<std::string, LinkSlot> link_slots_;
    std::map<LinkIndex, Parent> parents_;
    std::vector<RecordedLink> recorded_links_; ///< of a process before us, until their links are there
    model::Role role_;
    std::set<LinkIndex> role_links_; ///< that keep silent of it
    bool statics_stale_{true}, statics_released_{false};
    bool hosts_stale_{true};                                           ///< real servers may be this host, and were not
    std::unordered_map<std::uint64_t, LinkOperation> link_operations_; ///< in flight
    bool links_dirty_{true};
    FilterSlot filter_;
    std::map<ListenerKey, Listener> listeners_;
    std::map<std::string, RecoveredRouter> recovered_; ///< until the first configuration names its routers
    std::vector<RecordedRouter> recovered_routers_;    ///< likewise, of all routers
    Duration wall_ahead_{};
    Time numbers_due_{}; ///< when heard sequence numbers may go to the record again
    std::uint32_t adoptions_{0};
    BootTime first_adoption_{};
    std::deque<Commanded> commands_;
    std::uint64_t next_operation_{1};
    std::uint64_t next_hook_{1};
    Time list_at_{never}; ///< when to look for what the kernel took along silently
    std::vector<WatchRoutes::Where> watched_routes_;
    std::size_t bulk_in_flight_{0};
    std::vector<AddressKey> put_off_; ///< bulk that waits for room
    Time sweep_at_{never};            ///< excluded addresses wait for the next slice
    Time next_renewal_{never};
    std::map<AnnounceLaneKey, AnnounceLane> lanes_; ///< where announcements have a pace
    Time announce_at_{never};
    std::size_t first_to_announce_{0};
    Time retry_at_{never};       ///< of addresses that back off or are about to be released
    Time lease_watch_{never};    ///< the earliest lease deadline of a serving router
    bool leases_changed_{false}; ///< it is to be found again
    std::uint64_t next_transition_{1};
    std::deque<std::shared_ptr<const Transition>> transitions_; ///< the last ones, oldest first
    std::shared_ptr<const std::vector<std::shared_ptr<const Transition>>> transitions_view_ =
        std::make_shared<const std::vector<std::shared_ptr<const Transition>>>();
    NoteLimiter limiter_;
    bool stopping_{false}, returning_{false}, finished_{false};
    Duration restart_takes_{0};
    std::optional<std::string> maintenance_; ///< its reason, perhaps empty
    bool settle_needed_{false};
    bool view_changed_{true}, record_changed_{true};
    std::shared_ptr<const std::vector<AddressView>> statics_view_; ///< nothing: to be made
    std::shared_ptr<const Snapshot> snapshot_;
    std::vector<std::shared_ptr<const InstanceView>> instance_views_; ///< by slot
    std::map<std::string, std::shared_ptr<const TrackerView>> tracker_views_;
    struct GroupTold {
        std::string_view state;
        Priority priority{};
    };
    std::map<std::string, GroupTold> group_told_;
    std::map<std::string, std::vector<Router*>> group_members_;
    std::map<std::string, std::shared_ptr<const GroupView>> group_views_;

    // Of the turn in progress.
    Time now_{};
    Actions* out_{nullptr};
};

} // namespace holdfast::engine
