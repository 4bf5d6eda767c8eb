// The kernel's table: what it is to be, what it was when it was read, and one batch of steps between the two. The kernel tells
// nobody of changes (there is no IPVS notification), so the table is read again and again, as often as that is cheap.
#include "engine/servers.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace holdfast::engine {
namespace {

constexpr Duration read_every = 500ms;    ///< a cleared table is back within a second
constexpr Duration read_whole_every = 2s; ///< destinations too, at the pace of the kernel's rates (ip_vs_est.c)
constexpr int read_share = 20;            ///< and reading takes a twentieth of the time at most
constexpr Duration read_again_after = 5s; ///< where there is no ip_vs

IpvsService service_of(const model::VirtualServer& server, const model::ServiceKey& key) {
    const auto full = full_prefix(key.family);
    const bool stays = server.persistence > Duration::zero();
    return {.key = kernel_key(key),
            .scheduler = server.scheduler,
            .flags =
                server.scheduler_flags | (stays ? ipvs_persistent : 0U) | (server.one_packet ? ipvs_one_packet : 0U),
            .timeout = static_cast<std::uint32_t>(server.persistence / 1s),
            .prefix_length = server.persistence_prefix != 0 ? server.persistence_prefix : full,
            .engine = server.persistence_engine};
}

std::string cure(int error) {
    if (error == ENOENT) return "this kernel has no ip_vs: modprobe ip_vs on the host";
    if (error == EPERM) return "CAP_NET_ADMIN is missing: give the service AmbientCapabilities=CAP_NET_ADMIN";
    return std::strerror(error);
}

} // namespace

bool Servers::is_of_use() const {
    return !claims_.empty() || !owned_.empty() || ipvs_ != model::Ipvs{} || !our_sync_.empty() || timeouts_before_ ||
           reuse_before_;
}

void Servers::claim_services() {
    const auto before = std::exchange(claims_, {});
    for (const auto& [name, server] : servers_)
        for (const auto& key : server.pool.model->services)
            claims_[kernel_key(key)] = name;
    for (const auto& [key, name] : before)
        if (!claims_.contains(key)) dirty_.insert(key);
    std::erase_if(refused_, [this](const auto& each) { return !claims_.contains(each.first); });
    // What was never read may stand in the table already.
    for (const auto& [key, name] : claims_)
        if (!before.contains(key) && !owned_.contains(key)) known_ = false;
    if (!known_ && is_of_use() && !listing_) list_at_ = Time{};
}

void Servers::own(const model::ServiceKey& key) {
    if (owned_.insert(key).second) record_changed_ = true;
}

void Servers::disown_missing(bool also_claimed) {
    const auto is_missing = [&](const auto& key) {
        return !table_.contains(key) && (also_claimed || !claims_.contains(key));
    };
    if (std::erase_if(owned_, is_missing) > 0) record_changed_ = true;
}

void Servers::put_into(Record& record) {
    record_changed_ = false;
    record.timeouts_before = timeouts_before_;
    record.reuse_before = reuse_before_;
    const auto most = static_cast<std::ptrdiff_t>(std::min(owned_.size(), recorded_services));
    record.services.assign(owned_.begin(), std::next(owned_.begin(), most));
}

void Servers::recover(const Record& record) {
    timeouts_before_ = record.timeouts_before;
    reuse_before_ = record.reuse_before;
    owned_.insert(record.services.begin(), record.services.end());
}

IpvsEntry Servers::desired(const Server& server, const model::ServiceKey& key, Time now) const {
    const auto& model = *server.pool.model;
    const auto own =
        std::ranges::find(model.services, key, [](const model::ServiceKey& each) { return kernel_key(each); });
    IpvsEntry entry{.service = service_of(model, *own), .destinations = {}};
    for (const auto& [real, weight] : pool::wanted(server.pool, now)) {
        const auto at = endpoint_of(*own, *real);
        entry.destinations[at] = {at, real->forwarding, weight, real->upper_threshold, real->lower_threshold};
    }
    return entry;
}

/// Destinations are of no interest when a service has them as we put them there, and nobody waits for their connections.
bool Servers::glance_will_do(Time now) const {
    return now < read_whole_at_ && known_ && table_problem_.empty() && refused_.empty() &&
           std::ranges::none_of(servers_, [](const auto& each) { return pool::is_draining(each.second.pool); });
}

void Servers::read_again(const IpvsRead& event, Time now) {
    const auto pause = [&](Duration least, Duration took) { return std::max<Duration>(least, took * read_share); };
    (event.table ? whole_took_ : glance_took_) = now - listed_from_;
    if (event.table) read_whole_at_ = now + pause(read_whole_every, whole_took_);
    list_at_ = now + pause(read_every, glance_will_do(now + read_every) ? glance_took_ : whole_took_);
    if (event.table && event.table->error != 0) list_at_ = now + read_again_after;
    if (!is_of_use()) list_at_ = never;
}

void Servers::on(const IpvsRead& event, Turn turn) {
    listing_ = false;
    read_again(event, turn.now);
    if (!event.table) return;
    const auto& listed = *event.table;
    note_table_problem(listed.error, turn);
    if (listed.error != 0) {
        table_.clear();
        disown_missing(true); // there is nothing to be removed where there is no table
        our_sync_.clear();
        return program(turn);
    }
    const bool first = !std::exchange(known_, true);
    IpvsTable table;
    for (const auto& each : listed.services) {
        const auto key = kernel_key(each.service.key);
        if (!claims_.contains(key) && !owned_.contains(key)) continue; // somebody else's
        auto& entry = table[key];
        entry.service = each.service;
        for (const auto& destination : each.destinations)
            entry.destinations.emplace(destination.destination.at, destination.destination);
        own(key);
    }
    for (const auto& key : owned_)
        if (!claims_.contains(key)) dirty_.insert(key); // of the process before us, and in no file any more
    for (const auto& [key, name] : claims_) {
        const auto before = table_.find(key), now = table.find(key);
        const bool same =
            now == table.end() ? before == table_.end() : before != table_.end() && before->second == now->second;
        const auto refusal = refused_.find(key);
        const bool again = refusal == refused_.end() ? now == table.end() : turn.now >= refusal->second.again_at;
        if (!same || first || again) dirty_.insert(key);
    }
    table_ = std::move(table);
    disown_missing(false);
    listed_ = event.table;
    if (!in_flight_) sync_there_ = listed.sync;
    daemons_dirty_ = true;
    for (auto& [name, server] : servers_) {
        assume(server);
        if (!pool::is_moving(server.pool)) continue;
        finish_drains(server, turn);
        touch(server, turn);
    }
    program(turn);
}

/// Counts the connections of those that drain. The first time, the table of the process before us also says who was up:
/// nothing changes until a check has spoken.
void Servers::assume(Server& server) {
    const bool first = !std::exchange(server.assumed, true);
    for (auto& member : server.pool.members) {
        if (!first && !member.draining) continue;
        std::uint32_t connections = 0;
        bool found = false, any_table = false;
        for (const auto& service : server.pool.model->services) {
            any_table = any_table || table_.contains(kernel_key(service));
            const auto* const listed = engine::find(*listed_, service, endpoint_of(service, *member.model));
            if (!listed) continue;
            connections += listed->active + listed->inactive;
            found = found || listed->destination.weight > 0;
        }
        member.connections = connections;
        if (first && any_table && member.health == pool::Health::pending && !server.pool.model->alpha)
            member.assumed_up = found;
    }
}

void Servers::note_table_problem(int error, Turn turn) {
    const auto problem = error == 0 ? "" : cure(error);
    if (problem == table_problem_) return;
    table_problem_ = problem;
    for (auto& [name, server] : servers_) {
        server.view.reset();
        view_changed_ = true;
    }
    if (!problem.empty())
        tell(Severity::warning, NoteKind::server_refused, "",
             fmt::format("virtual servers are not in service: {}", problem), turn);
}

void Servers::program(Turn turn) {
    program_upstreams(turn);
    program_table(turn);
}

void Servers::program_table(Turn turn) {
    if (!known_ || in_flight_ || (dirty_.empty() && !daemons_dirty_) || !table_problem_.empty()) return;
    if (!masters_known_ && !followed_.empty()) return;
    Batch batch{IpvsBatchId{next_batch_++}, {}};
    for (const auto& key : std::exchange(dirty_, {})) {
        const auto there = table_.find(key);
        const auto* const observed = there == table_.end() ? nullptr : &there->second;
        auto* const server = claimant(key);
        if (!server || !server->wanted || stopping_ || std::ranges::binary_search(left_to_others_, key)) {
            plan(observed ? observed->service.key : key, observed, nullptr, batch.steps);
            refused_.erase(key);
            continue;
        }
        const auto entry = desired(*server, key, turn.now);
        const auto planned = batch.steps.size();
        plan(entry.service.key, observed, &entry, batch.steps);
        own(key);
        if (batch.steps.size() != planned || refused_.erase(key) == 0) continue;
        server->view.reset(); // what was refused is wanted no more
        view_changed_ = true;
    }
    disown_missing(stopping_);
    plan_daemons(batch.steps);
    if (batch.steps.empty()) return;
    turn.out.push_back(ProgramIpvs{batch.id, batch.steps});
    in_flight_ = std::move(batch);
}

Servers::Server* Servers::claimant(const model::ServiceKey& key) {
    const auto claim = claims_.find(key);
    return claim == claims_.end() ? nullptr : find(claim->second);
}

std::string Servers::problem(const Server& server) const {
    if (server.pool.model->nginx) return server.upstream_problem;
    if (!table_problem_.empty()) return table_problem_;
    if (refused_.empty()) return {};
    for (const auto& service : server.pool.model->services)
        if (const auto at = refused_.find(kernel_key(service)); at != refused_.end()) return at->second.why;
    return {};
}

void Servers::on(const IpvsDone& event, Turn turn) {
    if (!in_flight_ || in_flight_->id != event.id) return;
    const auto batch = *std::exchange(in_flight_, std::nullopt);
    std::map<std::string, std::string> problems; // of the servers that it was for, as they were
    reopen(batch, problems);
    auto failed = event.failed.begin();
    for (std::uint32_t i = 0; i < batch.steps.size(); ++i) {
        const int error = failed != event.failed.end() && failed->first == i ? (failed++)->second : 0;
        if (error == 0)
            apply(batch.steps[i], table_);
        else
            refused(batch.steps[i], error, turn.now);
        daemon_done(batch.steps[i], error, turn);
    }
    for (const auto& [name, before] : problems)
        tell_problem(*find(name), before, turn);
    if (!event.failed.empty()) list_at_ = std::min(list_at_, turn.now + read_every); // what is there is read
    disown_missing(stopping_);
    view_changed_ = true;
    program(turn);
}

/// What the batch was about has no refusal until its answer says so.
void Servers::reopen(const Batch& batch, std::map<std::string, std::string>& problems) {
    for (const auto& step : batch.steps) {
        const auto key = key_of(step);
        if (!key) continue;
        if (const auto* const server = claimant(*key)) problems.try_emplace(server->name(), problem(*server));
    }
    for (const auto& step : batch.steps)
        if (const auto key = key_of(step)) refused_.erase(*key);
}

void Servers::refused(const IpvsStep& step, int error, Time now) {
    const auto* const service = std::get_if<PutService>(&step);
    const auto* const destination = std::get_if<PutDestination>(&step);
    if (!service && !destination) return; // it is gone already, or is read to be there
    const bool moved = error == EEXIST || error == ESRCH || error == ENOBUFS || (destination && error == ENOENT);
    if (moved) return; // the table changed under us: it is read again
    std::string why = std::strerror(error);
    if (service && error == ENOENT)
        why = fmt::format("the kernel has no scheduler '{0}': modprobe ip_vs_{0} on the host",
                          service->service.scheduler);
    const auto key = *key_of(step);
    const auto at = destination ? " at " + to_string(destination->destination.at.address) : "";
    const auto first = fmt::format("{} is refused{}: {}", model::to_string(key), at, why);
    if (claims_.contains(key)) refused_.try_emplace(key, first, now + read_again_after);
}

void Servers::tell_problem(Server& server, const std::string& before, Turn turn) {
    const auto now = problem(server);
    if (now == before) return;
    server.view.reset();
    if (now.empty()) return;
    tell(Severity::warning, NoteKind::server_refused, server.name(),
         fmt::format("virtual server {}: {}", server.name(), now), turn);
}

bool Servers::is_ready(const std::string& name) const {
    if (!table_problem_.empty()) return true;
    return std::ranges::none_of(servers_, [&](const auto& each) {
        const auto& server = each.second;
        if (server.pool.model->while_master != name) return false;
        return std::ranges::any_of(server.pool.model->services, [&](const model::ServiceKey& service) {
            const auto key = kernel_key(service);
            return !table_.contains(key) && !refused_.contains(key);
        });
    });
}

} // namespace holdfast::engine
