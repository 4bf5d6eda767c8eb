// A world of hosts around production engines: a wire that loses, doubles, delays and parts; kernels that hold addresses under
// leases, refuse, answer late and are edited by strangers; clocks that drift; processes that pause, die and come back; one
// client with an ARP cache. One heap of events drives all of it, so a run is a function of its seed.
#pragma once

#include "engine/engine.hpp"
#include "rng.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

namespace holdfast::sim {

inline constexpr std::chrono::seconds sim_epoch{1'700'000'000}; ///< what wall clocks showed at time zero
inline constexpr LinkIndex first_link{2};                       ///< eth0, as each host begins

struct WireOptions {
    double loss{0}, duplicate{0};
    Duration delay_min{50us}, delay_max{200us};
};

/// What one host is and how it answers.
struct HostOptions {
    std::string name;
    model::Instance instance;
    std::vector<model::Instance> partners; ///< its sync group `edge`, with other VRIDs on the same link
    std::vector<model::Tracker> trackers;
    std::vector<model::AnnounceGroup> announce_groups;
    std::int64_t drift_ppm{0};
    Duration clock_offset{0};     ///< of its monotonic clock
    Duration kernel_delay{100us}; ///< from an operation to its answer
    Duration news_delay{0};       ///< until a change in the kernel is told
    Duration list_delay{0};       ///< how long a listing takes
    std::size_t wire_queue{64};   ///< datagrams that a paused process can keep
    bool keeps_index{false};      ///< an interface that comes back has the index that it had
};

/// The fake kernel of one host, in true time. Addresses outlive the daemon, and end with their lease.
struct FakeKernel {
    struct Address {
        Time expires{never};
        bool ours{false};
        LinkIndex link{first_link};
        engine::AddressTraits traits{};
    };
    std::map<Prefix, Address> addresses;
    std::map<model::RouteId, engine::KernelRoute> routes;
    std::set<model::Rule> rules;
    std::map<LinkIndex, engine::Link> macvlans;
    LinkIndex next_link{10};
    engine::ArpSettings arp{};      ///< of the interface
    std::vector<IpAddress> refused; ///< by the packet filter
    LinkIndex link{first_link};
    std::string link_name{"eth0"};
    bool link_up{true}, link_exists{true};
    bool refuses{false}; ///< EPERM for every add
};

class World;

/// Told after each engine turn of a host, with what it did.
struct Turn {
    World& world;
    std::size_t host;
    const engine::Event& event;
    const engine::Actions& actions;
    const vrrp::State& before; ///< of the host's router
    const std::map<std::string, vrrp::State>& partners_before;
    Time now;     ///< on the host's own clock
    bool counted; ///< the host's router took an advert as heard
};

struct Host {
    HostOptions options;
    IpAddress source;
    MacAddress mac;
    FakeKernel kernel;
    std::unique_ptr<engine::Engine> engine; ///< null while the process is dead
    std::uint64_t life{0};                  ///< counts processes: messages to an older one are lost
    std::optional<Time> paused_until;
    std::deque<engine::Event> queue; ///< what waits while it is paused
    std::deque<engine::Event> wire_queue;
    bool overflowed{false}, stopped{false};
    std::set<std::pair<LinkIndex, Family>> listening; ///< sockets that are open, on interfaces that exist
    engine::Record record;
    std::map<std::string, Time> last_advert;            ///< true time
    std::map<std::string, std::uint64_t> last_sequence; ///< as the record's file keeps it
    Duration wall_step{0};                              ///< how wrong its wall clock is
    std::shared_ptr<const model::Config> config;
    std::deque<engine::Event> held_news; ///< kernel news that came while a listing is under way
    bool is_listing{false};
    Time executor_free{}, news_free{}; ///< both answer in order
    std::map<Prefix, int> in_flight;   ///< operations that the engine waits for
    int others_in_flight{0};           ///< those that concern no address
    Duration recovered_interval{};     ///< of the record that this process began with
    bool executor_wakes_first{false};  ///< after a pause: before or after the loop thread
    std::optional<unsigned> dies_in;   ///< actions until it is killed in the middle of a turn
    Time disturbed{};                  ///< last time when its kernel, link or process was out of order
    Time wake_at{never};
    std::uint64_t wake_number{0};
    std::map<std::string, engine::Observation> observed;

    const engine::Router* router() const {
        if (!engine) return nullptr;
        for (const auto& router : engine->routers())
            if (router && !router->retiring && router->name() == options.instance.name) return router.get();
        return nullptr;
    }
};

class World {
  public:
    explicit World(std::uint64_t seed, WireOptions options = {}) : rng{seed}, wire{options} {}

    std::size_t add(HostOptions options);
    void start(std::size_t host);
    void kill(std::size_t host);
    /// Killed in the middle of a later turn, when so many more actions were carried out.
    void kill_between_actions(std::size_t host, unsigned actions) { hosts[host]->dies_in = actions; }
    /// The kernel refuses every address from now on, or takes them again.
    void refuse(std::size_t host, bool on);
    /// Every operation takes this long from now on.
    void slow_down(std::size_t host, Duration kernel_delay);
    /// The kernel lost some news: the daemon lists everything anew.
    void lose_news(std::size_t host);
    /// Kernel state and record are gone too.
    void reboot(std::size_t host);
    void command(std::size_t host, decltype(engine::InstanceCommand::what) what);
    void stop(std::size_t host);
    /// systemctl restart; start() is the next process.
    void restart(std::size_t host, Duration takes = 250ms);
    void pause(std::size_t host, Duration duration);
    void set_link(std::size_t host, bool up);
    /// Its interface goes, or another one of that name comes.
    void remove_link(std::size_t host, bool exists);
    void rename_link(std::size_t host, const std::string& name);
    /// A third party deletes the address.
    void delete_address(std::size_t host, const Prefix& prefix);
    /// A host without VRRP announces this address on the link of `host`.
    void rival(std::size_t host, const IpAddress& address) {
        deliver(host, engine::AnnouncementSeen{hosts[host]->kernel.link, {address, {{2, 0, 0, 0, 0, 99}}}}, true);
    }
    void add_foreign(std::size_t host, const Prefix& prefix);
    /// A third party deletes the route to this prefix, whoever's it is; or adds one of its own.
    void delete_route(std::size_t host, const Prefix& prefix);
    void add_foreign_route(std::size_t host, const Prefix& prefix);
    /// A third party deletes the macvlan of the virtual MAC.
    void delete_macvlan(std::size_t host);
    void observe(std::size_t host, const std::string& tracker, engine::Observation observation);
    /// Nothing: it is over.
    void maintain(std::size_t host, std::optional<std::string> reason);
    void failover(std::size_t host, std::optional<Duration> hold = {});
    void reload(std::size_t host, const model::Instance& instance);
    void inject(std::size_t host, const IpAddress& source, const Bytes& message, std::uint8_t hop_limit,
                const std::optional<IpAddress>& destination = {});
    /// A whole IPv4 packet with an authentication header.
    void inject_ah(std::size_t host, const IpAddress& source, const Bytes& packet);
    void step_wall_clock(std::size_t host, Duration off);
    /// Everything that was ever on the wire comes to this host once more.
    void replay(std::size_t host);
    void cut(std::size_t a, std::size_t b, bool both_ways = true) {
        cuts.insert({a, b});
        if (both_ways) cuts.insert({b, a});
    }
    void heal() {
        cuts.clear();
        vrid_cuts.clear();
    }
    void cut_vrid(std::size_t a, std::size_t b, Vrid vrid) {
        vrid_cuts.insert({a, b, vrid});
        vrid_cuts.insert({b, a, vrid});
    }

    /// Runs until this much true time has passed.
    void run(Duration duration);
    Time now() const { return now_; }
    Time local_now(const Host& host) const;
    void at(Duration after, std::function<void()> action) { schedule(now_ + after, std::move(action)); }

    std::vector<std::unique_ptr<Host>> hosts;
    Rng rng;
    WireOptions wire;
    std::set<std::pair<std::size_t, std::size_t>> cuts;
    std::set<std::tuple<std::size_t, std::size_t, Vrid>> vrid_cuts; ///< as if that member's link were cut
    std::function<void(const Turn&)> on_turn;
    std::map<IpAddress, MacAddress> client_cache;  ///< where the client sends
    std::map<MacAddress, std::size_t> switch_port; ///< where the switch last saw a virtual MAC
    std::set<std::size_t> client_cuts;             ///< hosts that the client does not hear
    std::uint64_t events{0}, trace_hash{0};
    bool clocks_stepped{false}; ///< a wall clock was wrong once
    bool records{false};        ///< keep what is on the wire, for replay()
    std::vector<engine::SendAdvert> recorded;

  private:
    struct Entry {
        Time when;
        std::uint64_t sequence;
        std::function<void()> action;
        bool operator>(const Entry& other) const {
            return std::tie(when, sequence) > std::tie(other.when, other.sequence);
        }
    };

    void schedule(Time when, std::function<void()> action) { heap_.push({when, ++sequence_, std::move(action)}); }
    Time true_time(const Host& host, Time local) const;
    void deliver(std::size_t host, engine::Event event, bool from_wire = false);
    void resume(std::size_t host);
    void turn(std::size_t host, const engine::Event& event);
    void perform(std::size_t host, const engine::Action& action);
    void rearm(std::size_t host);
    void broadcast(std::size_t from, const engine::SendAdvert& advert);
    void arrive(std::size_t to, const engine::SendAdvert& advert);
    engine::WallClockSet wall_clock(const Host& host) const;
    void announce(std::size_t from, const engine::Announce& action);
    void listen(std::size_t host, const engine::Listen& wish);
    static bool hears(const Host& host);
    void operate(std::size_t host, const engine::Operation& operation);
    static std::optional<Prefix> prefix_of(const engine::Operation& operation);
    int apply(Host& host, const engine::Operation& operation);
    int put_route(std::size_t host, const engine::PutRoute& put);
    int remove_route(std::size_t host, const model::RouteId& id);
    int apply_to_link(std::size_t host, const engine::Operation& operation);
    void remove_macvlan(std::size_t host, LinkIndex link);
    void expire(std::size_t host, const Prefix& prefix);
    void tell(std::size_t host, engine::Event event);
    void ask_for_list(std::size_t host);
    engine::KernelListed list(const Host& host) const;
    engine::Link link_of(const Host& host) const;

    Time now_{std::chrono::hours{1}};
    std::uint64_t sequence_{0};
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
};

} // namespace holdfast::sim
