// All virtual servers of this node together: what their checks say, who of their real servers is in the kernel's table, and
// when a service is there at all. Pure, as the Engine that owns it. One invariant: the table that is wanted follows from the
// pools; what is asked of the kernel is its difference to the table that was read, one batch at a time. The files behind this
// class: servers (configuration, commands), servers_health (checks, trackers, quorum), servers_kernel (the table),
// servers_upstream (nginx), servers_sync (the synchronisation daemon, timeouts), servers_views.
#pragma once

#include "check/check.hpp"
#include "engine/action.hpp"
#include "engine/ipvs_plan.hpp"
#include "engine/ipvs_sync.hpp"
#include "engine/snapshot.hpp"
#include "engine/track.hpp"
#include "pool/pool.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace holdfast::engine {

class Servers {
  public:
    /// Where a turn puts what it comes to.
    struct Turn {
        Time now{};
        Actions& out;
        std::vector<Transition>& edges; ///< to be numbered
    };
    using Trackers = std::map<std::string, TrackerState>;

    /// What is equal in both is not touched: checks go on, verdicts stay.
    void configure(const model::Config&, const Trackers&, Turn);
    void on(const CheckObserved&, Turn);
    void on(const IpvsRead&, Turn);
    void on(const IpvsDone&, Turn);
    void on(const UpstreamsWritten&, Turn);
    void on(const ServerCommanded&, Turn);
    void tracker_changed(const TrackerState&, Turn);
    /// What is wrong with it as far as the rest of the host knows; empty: nothing. Told when it is new.
    void warn(const std::string& server, const std::string& text, Turn);
    /// Every service leaves; `gone()` says when.
    void stop(Turn);
    void elapsed(Turn);
    Time next_deadline() const;

    /// Instances and groups that a service follows, sorted.
    const std::vector<std::string>& followed() const { return followed_; }
    /// This host is itself a real server of each service that follows it, and there is one.
    bool serves_all_of(const std::string& followed) const { return served_here_.contains(followed); }
    /// It is master, or still has addresses: its services are to be there.
    void follow(const std::string& name, bool wanted, Turn);
    /// Guarded services whose addresses another host holds: their connections are its own. Sorted.
    void leave_to_others(std::vector<model::ServiceKey>, Turn);
    /// `follow` has been called for each. Until then nothing is programmed: the table may have been read before the addresses,
    /// and what follows a master that is back would be taken away.
    void masters_are_known(Turn);
    bool knows_masters() const { return masters_known_; }
    /// The table is as far as it can be for this one to have its addresses: a failing kernel holds nothing up.
    bool is_ready(const std::string& name) const;
    /// Nothing: there is no virtual server of this name.
    std::optional<bool> has_quorum(const std::string& name) const;
    /// Into the record of the next process, and out of that of the process before us: what is in the table and how the kernel's
    /// settings were before, so that either can be undone in the place of who did it.
    void put_into(Record&);
    void recover(const Record&);
    bool record_changed() const { return record_changed_; }

    bool gone() const { return stopping_ && !in_flight_ && owned_.empty() && our_sync_.empty(); }

    /// Shared with the last call where nothing changed.
    std::vector<std::shared_ptr<const VirtualServerView>> views(Time now);
    std::shared_ptr<const IpvsListed> statistics() const { return listed_; }
    /// Why there is no table, and the cure; empty also when nobody wants one.
    std::string table_problem() const { return is_of_use() ? table_problem_ : std::string{}; }
    bool view_changed() const { return view_changed_; }
    void views_taken() { view_changed_ = false; }

  private:
    struct CheckSlot {
        CheckId id{};
        check::State state;
        std::int64_t added{0}; ///< to the weight: a file's number
    };
    struct Real {
        std::vector<CheckSlot> checks;
        bool was_up{false};
        std::shared_ptr<const RealServerView> view{}; ///< reset when a check or a command changed it
        Time since{};                                 ///< of being up or down
    };
    struct Server {
        pool::Pool pool;         ///< members sorted by name, also while some are leaving
        std::vector<Real> reals; ///< of the pool's members, in their order
        bool wanted{true};
        bool assumed{false};          ///< the first table that was read has been looked at
        Time began{};                 ///< its checks
        bool placed{false};           ///< nginx has a file, if not ours yet
        std::string upstream_problem; ///< why nginx does not have it as it is wanted
        std::string warning;
        Time since{}; ///< of its quorum, or of having none
        std::shared_ptr<const VirtualServerView> view;

        const std::string& name() const { return pool.model->name; }
    };
    struct CheckHome {
        std::string server, real;
        std::size_t slot{};
    };
    struct Batch {
        IpvsBatchId id{};
        std::vector<IpvsStep> steps;
    };

    // servers.cpp
    void add(std::shared_ptr<const model::VirtualServer>, const Trackers&, Turn);
    void change(Server&, std::shared_ptr<const model::VirtualServer>, const Trackers&, Turn);
    void remove(const std::string& name, Turn);
    Real begin_real(const Server&, const model::RealServer&, const Trackers&, Turn);
    void end_real(Real&, Turn);
    void index_followed(const model::Config&);
    static void tell_the_end(const Server&, Turn);
    Server* find(const std::string& name);
    static std::optional<std::size_t> find_member(const Server&, const std::string& name);
    std::string carry_out(const ServerCommand&, Server&, std::size_t member, Turn);
    void touch(Server&, Turn);
    void tell(Severity, NoteKind, const std::string& object, std::string text, Turn) const;

    // servers_health.cpp
    void read_tracker(const TrackerState&, CheckSlot&, const model::TrackerCheck&, Turn) const;
    void weigh_up(Server&, std::size_t member, Turn);
    void note_edge(Server&, std::size_t member, Turn);
    void settle(Server&, Turn);
    void finish_drains(Server&, Turn);

    // servers_views.cpp
    std::shared_ptr<const VirtualServerView> view(Server&, Time now) const;
    static std::shared_ptr<RealServerView> view(const Server&, const pool::Member&, const Real&);

    // servers_kernel.cpp
    IpvsEntry desired(const Server&, const model::ServiceKey&, Time now) const;
    void claim_services();
    void assume(Server&);
    void program(Turn);
    void program_table(Turn);
    Server* claimant(const model::ServiceKey&); ///< null: nobody wants it
    std::string problem(const Server&) const;   ///< why the kernel does not have it as it is wanted; empty: it does
    void reopen(const Batch&, std::map<std::string, std::string>& problems);
    void refused(const IpvsStep&, int error, Time now);
    void tell_problem(Server&, const std::string& before, Turn);
    void note_table_problem(int error, Turn);
    bool is_here(const Server&) const;
    bool glance_will_do(Time now) const;
    void read_again(const IpvsRead&, Time now);
    void own(const model::ServiceKey&);
    void disown_missing(bool also_claimed);
    bool is_of_use() const; ///< there is something to be read for

    // servers_upstream.cpp
    static std::vector<model::UpstreamPeer> peers(const Server&, Time now);
    static Time upstream_due(const Server&);
    Time upstream_deadline() const;
    void program_upstreams(Turn);

    // servers_sync.cpp
    void plan_daemons(std::vector<IpvsStep>& out);
    void plan_settings(std::vector<IpvsStep>& out);
    void reuse_done(const SetReuse& set, int error, Turn turn);
    void daemon_done(const IpvsStep&, int error, Turn);

    std::map<std::string, Server> servers_;
    std::map<std::uint64_t, CheckHome> checks_;
    std::uint64_t next_check_{1};
    std::vector<std::string> followed_;
    std::set<std::string> masters_;                 ///< of followed_
    std::vector<model::ServiceKey> left_to_others_; ///< as the kernel compares them; sorted
    std::set<std::string> served_here_;             ///< likewise

    std::map<model::ServiceKey, std::string> claims_; ///< a server's name
    std::set<model::ServiceKey> owned_;               ///< what this daemon has in the kernel, or had
    std::set<model::ServiceKey> dirty_;
    struct Refusal {
        std::string why;
        Time again_at; ///< asking costs the kernel a search for a module
    };
    std::map<model::ServiceKey, Refusal> refused_; ///< of claims_
    IpvsTable table_;                              ///< as far as it is owned or claimed
    std::shared_ptr<const IpvsListed> listed_;
    bool known_{false}, listing_{false}, masters_known_{false}, record_changed_{false};
    std::string table_problem_;
    Time list_at_{never}, listed_from_{}, read_whole_at_{};
    Duration whole_took_{0}, glance_took_{0};
    std::optional<Batch> in_flight_;
    std::uint64_t next_batch_{1};
    struct Nginx {
        std::set<std::string> dirty; ///< virtual servers whose files may differ
        std::optional<UpstreamBatchId> in_flight{};
        std::vector<std::string> asked{}; ///< of the batch in flight
        Time not_before{Time::min()};
        bool refused{false}; ///< the last batch was
    };
    std::map<std::string, Nginx> nginx_; ///< by model::Upstream::nginx()
    model::Ipvs ipvs_;
    bool daemons_dirty_{false};
    std::vector<IpvsSync> sync_there_, our_sync_;
    std::optional<IpvsTimeouts> timeouts_before_; ///< to be put back at the end
    bool forgets_stale_{false};                   ///< this host directs and serves
    std::optional<IpvsReuse> reuse_before_;       ///< likewise
    std::string reuse_problem_;
    std::string sync_problem_;
    Time pools_at_{never};
    bool stopping_{false}, view_changed_{true};
};

} // namespace holdfast::engine
