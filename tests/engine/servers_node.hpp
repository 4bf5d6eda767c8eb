// What the tests of virtual servers share: one engine beside a table that behaves as the kernel's, an nginx that behaves, and
// helpers that are told what to say.
#pragma once

#include "engine/engine.hpp"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace holdfast::engine::testing {

inline model::ServiceKey service(std::uint8_t last, std::uint16_t port = 80) {
    return {.family = Family::ipv4, .address = IpAddress::v4(192, 0, 2, last), .port = port};
}

inline model::RealServer real(const std::string& name, std::uint32_t weight = 1, bool checked = true) {
    model::RealServer result{.name = name,
                             .address = IpAddress::v4(10, 0, 0, static_cast<std::uint8_t>(name.back() - '0')),
                             .weight = weight};
    if (checked) result.checks.push_back({.kind = model::TcpCheck{}, .retry = 0});
    return result;
}

/// One host with the engine, a table, and helpers that are told what to say.
class Node {
  public:
    Node() { config_.node_name = "lb1"; }

    model::VirtualServer& add_nginx(const std::string& name, std::vector<model::RealServer> reals) {
        for (auto& each : reals)
            each.port = 80;
        auto& server = add(name, std::move(reals));
        server.services.clear();
        server.nginx = model::Upstream{.file = name + ".conf"};
        return server;
    }
    model::VirtualServer& add(const std::string& name, std::vector<model::RealServer> reals, std::uint8_t last = 10) {
        config_.virtual_servers.push_back(
            {.name = name, .services = {service(last)}, .real_servers = std::move(reals)});
        std::ranges::sort(config_.virtual_servers, {}, &model::VirtualServer::name);
        return *std::ranges::find(config_.virtual_servers, name, &model::VirtualServer::name);
    }
    void load() { deliver(ConfigLoaded{std::make_shared<const model::Config>(config_)}); }
    /// Everything that is due within this time.
    void run(Duration time) {
        const auto until = now + time;
        for (int turn = 0; turn < 100'000; ++turn) {
            const auto next = engine.next_deadline();
            if (next > until) break;
            now = std::max(now, next);
            deliver(Elapsed{});
        }
        now = until;
    }
    void deliver(const Event& event) {
        Actions actions;
        engine.on(event, now, actions);
        for (auto& action : actions)
            perform(action);
    }
    void probe(const std::string& name, bool good, std::int32_t status = 0) {
        for (const auto& [id, check] : checks)
            if (check.name == name)
                return deliver(CheckObserved{
                    CheckId{id}, {.good = good, .status = status, .detail = good ? "connected" : "refused"}});
        ADD_FAILURE() << "nobody checks " << name;
    }
    /// "192.0.2.10 wlc: 10.0.0.1=1 10.0.0.2=1"
    std::string shown() const {
        std::string out;
        for (const auto& [key, entry] : table) {
            out += fmt::format("{}{} {}:", out.empty() ? "" : "; ", to_string(key.address), entry.service.scheduler);
            for (const auto& [at, destination] : entry.destinations)
                out += fmt::format(" {}={}", to_string(at.address), destination.weight);
        }
        return out;
    }
    const VirtualServerView& view(const std::string& name) {
        snapshot = engine.snapshot();
        return **std::ranges::find(snapshot->virtual_servers, name, [](const auto& v) { return v->model->name; });
    }
    std::string state(const std::string& name) { return std::string{view(name).state}; }
    std::string command(ServerCommand command) {
        deliver(ServerCommanded{7, std::move(command)});
        return reply ? reply->text : "no reply";
    }

    model::Config config_;
    Engine engine;
    std::vector<std::string> notes;
    Time now{1000s};
    IpvsTable table;
    std::map<IpvsEndpoint, std::uint32_t> connections;
    int table_error{0};
    std::map<std::uint64_t, StartCheck> checks;
    std::vector<std::string> steps;    ///< all that was programmed
    std::vector<std::string> programs; ///< notify scripts, of the transitions
    std::optional<Reply> reply;
    std::shared_ptr<const Snapshot> snapshot;
    int lists{0}, glances{0};                       ///< how often the table was read
    std::optional<std::vector<IpvsService>> seen{}; ///< of the last list; nothing: steps were taken since
    bool finished{false}, answers{true};
    bool lists_kernel{true}; ///< at once, and without anything in it
    std::vector<IpvsSync> sync;
    IpvsTimeouts timeouts{900, 120, 300};
    IpvsReuse reuse{0, 1};
    int reuse_error{0};
    std::map<std::string, std::string> files; ///< of nginx, by virtual server
    std::vector<Time> written;                ///< when nginx was told
    std::string nginx_refuses;                ///< why
    std::string lacks{"mh"};                  ///< a scheduler
    std::optional<IpAddress> full;            ///< a destination that is refused
    std::optional<Event> held;                ///< the answer of the table, when `answers` is off
    std::vector<Operation> operations;        ///< asked of the kernel; the test answers
    std::optional<SetFilter> filter;          ///< likewise of the packet filter

  private:
    void answer(Event event) {
        if (answers)
            deliver(event);
        else
            held = std::move(event);
    }
    void perform(const Action& action) {
        if (const auto* start = std::get_if<StartCheck>(&action)) checks[start->id.value] = *start;
        if (const auto* stop = std::get_if<StopCheck>(&action)) checks.erase(stop->id.value);
        if (std::holds_alternative<ListKernel>(action) && lists_kernel) deliver(KernelListed{});
        if (const auto* told = std::get_if<Tell>(&action)) notes.push_back(told->note.text);
        if (std::holds_alternative<Finished>(action)) finished = true;
        if (const auto* operation = std::get_if<Operation>(&action)) operations.push_back(*operation);
        if (const auto* wish = std::get_if<SetFilter>(&action)) filter = *wish;
        if (const auto* said = std::get_if<Reply>(&action)) reply = *said;
        if (const auto* asked = std::get_if<ListIpvs>(&action)) answer(read(asked->glance));
        if (const auto* batch = std::get_if<ProgramIpvs>(&action)) seen.reset(), answer(program(*batch));
        if (const auto* batch = std::get_if<WriteUpstreams>(&action)) answer(write(*batch));
    }
    /// As kernel::IpvsTable reads.
    IpvsRead read(bool glance) {
        auto listed = list();
        std::vector<IpvsService> services;
        for (const auto& each : listed.services)
            services.push_back(each.service);
        const bool same = glance && table_error == 0 && services == seen;
        seen = table_error == 0 ? std::optional{std::move(services)} : std::nullopt;
        ++(same ? glances : lists);
        return {same ? nullptr : std::make_shared<const IpvsListed>(std::move(listed))};
    }
    IpvsListed list() const {
        IpvsListed listed{.sync = sync, .timeouts = timeouts, .reuse = reuse, .error = table_error};
        if (table_error != 0) return listed;
        for (const auto& [key, entry] : table) {
            listed.services.push_back({.service = entry.service});
            for (const auto& [at, destination] : entry.destinations) {
                const auto active = connections.find(at);
                listed.services.back().destinations.push_back(
                    {.destination = destination, .active = active == connections.end() ? 0 : active->second});
            }
        }
        return listed;
    }
    /// "web: s1=2 s2=down sorry_server=1b", written at most once a second.
    UpstreamsWritten write(const WriteUpstreams& batch) {
        for (const auto& file : batch.files) {
            std::string text = file.server->name + ":";
            for (const auto& peer : file.peers)
                text += fmt::format(" {}={}{}", peer.name, peer.weight == 0 ? "down" : std::to_string(peer.weight),
                                    peer.backup ? "b" : "");
            if (file.only_if_missing && files.contains(file.server->name)) continue;
            files[file.server->name] = text;
        }
        written.push_back(now);
        return {batch.id, nginx_refuses};
    }
    IpvsDone program(const ProgramIpvs& batch) {
        IpvsDone done{batch.id};
        for (std::uint32_t i = 0; i < batch.steps.size(); ++i) {
            const int error = try_step(batch.steps[i]);
            if (error != 0) done.failed.emplace_back(i, error);
            if (error == 0) apply(batch.steps[i], table);
        }
        return done;
    }
    /// As ip_vs_ctl.c refuses.
    int try_step(const IpvsStep& step) {
        if (table_error != 0) return table_error;
        if (const auto* start = std::get_if<StartSync>(&step)) sync.push_back(start->sync);
        if (const auto* stop = std::get_if<StopSync>(&step))
            std::erase_if(sync, [&](const IpvsSync& each) { return each.role == stop->sync.role; });
        if (const auto* set = std::get_if<SetReuse>(&step)) {
            if (reuse_error == 0) reuse = set->reuse;
            return reuse_error;
        }
        if (const auto* set = std::get_if<SetTimeouts>(&step)) {
            timeouts = {set->timeouts.tcp ? set->timeouts.tcp : timeouts.tcp,
                        set->timeouts.tcp_fin ? set->timeouts.tcp_fin : timeouts.tcp_fin,
                        set->timeouts.udp ? set->timeouts.udp : timeouts.udp};
        }
        if (const auto* put = std::get_if<PutService>(&step)) {
            steps.push_back(fmt::format("{}{}", put->edit ? "edit " : "+", to_string(put->service.key.address)));
            if (put->service.scheduler == lacks) return ENOENT;
            return table.contains(put->service.key) == put->edit ? 0 : put->edit ? ESRCH : EEXIST;
        }
        if (const auto* put = std::get_if<PutDestination>(&step)) {
            steps.push_back(fmt::format("{}{}={}", put->edit ? "edit " : "+", to_string(put->destination.at.address),
                                        put->destination.weight));
            const auto at = table.find(put->service);
            if (at == table.end()) return ESRCH;
            if (put->destination.at.address == full) return ENOMEM;
            return at->second.destinations.contains(put->destination.at) == put->edit ? 0 : put->edit ? ENOENT : EEXIST;
        }
        if (const auto* remove = std::get_if<RemoveDestination>(&step))
            steps.push_back(fmt::format("-{}", to_string(remove->at.address)));
        if (const auto* remove = std::get_if<RemoveService>(&step))
            steps.push_back(fmt::format("-{}", to_string(remove->key.address)));
        return 0;
    }
};

} // namespace holdfast::engine::testing
