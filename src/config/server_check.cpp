// Virtual servers as a whole: what a service needs, what the kernel refuses, and what no two of them may share. Said here with
// its place, it never becomes an errno.
#include "config/server.hpp"
#include "config/utf8.hpp"

#include <fmt/format.h>
#include <set>

namespace holdfast::config {
namespace {

using model::Forwarding;
using model::Protocol;
using model::RealServer;
using model::ServiceKey;
using model::VirtualServer;

struct Read {
    const Entry* entry;
    Draft<ServerText> draft;
};

class Check {
  public:
    Check(Context& context, const Read& read) : context_{context}, draft_{read.draft}, mark_{read.entry->mark} {}

    void service() {
        const auto& server = draft_.object;
        if (server.nginx) return;
        const int said = draft_.has("address") + draft_.has("addresses") + draft_.has("mark");
        if (said != 1)
            error(mark_, said == 0 ? "does not say where clients connect" : "says in two ways where clients connect",
                  "give one of address, addresses and mark");
        if (!draft_.has("protocol")) error(mark_, "has no protocol", "add protocol: tcp, udp or sctp");
        if (draft_.has("family") && server.mark == 0)
            error(place("family"), "has a family without a mark", "remove it");
        if (serves_every_port() && server.persistence == Duration::zero() && draft_.usable("persistence"))
            error(mark_, "serves every port, and nothing keeps a client on one server",
                  "give a port, or persistence: 5min");
        if (server.persistence % 1s != Duration::zero())
            error(place("persistence"), "has a persistence that is no whole number of seconds", "write 50s");
        if (server.one_packet && server.protocol != Protocol::udp && server.mark == 0)
            error(place("one_packet"), "has one_packet, which only udp can have", "remove it");
        persistence(server);
    }

    void pool() {
        const auto& server = draft_.object;
        if (draft_.has("check") && draft_.has("checks"))
            error(draft_.given.at("checks").key, "has both check and checks", "put all into checks");
        std::map<std::pair<IpAddress, std::uint16_t>, const RealServer*> seen;
        for (const auto& real : server.real_servers) {
            const auto [at, fresh] = seen.emplace(std::pair{real.address, real.port}, &real);
            const auto& first = *at->second;
            if (!fresh) // what was added is at fault, not the file
                error(place_of(real.origin < first.origin ? first.name : real.name),
                      fmt::format("has {} twice: '{}' and '{}'", print(Endpoint{real.address, real.port}), first.name,
                                  real.name),
                      "keep one, with the weight of both");
            if (server.nginx) continue;
            check_ports(real);
            check_sources(real);
            destination(real, fmt::format("real server '{}'", real.name), place_of(real.name));
        }
        if (server.sorry_server && !server.nginx)
            destination(*server.sorry_server, "its sorry server", place("sorry_server"));
        std::uint64_t total = 0;
        for (const auto& real : server.real_servers)
            total += real.weight;
        if (draft_.usable("quorum") && draft_.has("quorum") && draft_.usable("real_servers") &&
            server.quorum + std::uint64_t{server.hysteresis} > total)
            error(place("quorum"),
                  fmt::format("never reaches its quorum: all servers together weigh {}, and {} are needed", total,
                              server.quorum + std::uint64_t{server.hysteresis}),
                  "quorum and hysteresis are sums of weights");
    }

  private:
    void error(Mark mark, const std::string& text, std::string hint) {
        context_.problems.error(mark, fmt::format("virtual server '{}' {}", draft_.object.name, text), std::move(hint));
    }
    Mark place(std::string_view word) const { return draft_.place(word, mark_); }
    Mark place_of(const std::string& real) const {
        const auto at = draft_.given.find("real_servers");
        const auto* const entry = at == draft_.given.end() ? nullptr : at->second.node->find(real);
        return entry ? entry->mark : mark_;
    }

    /// Nothing: its addresses could not be read.
    std::optional<Family> family() const {
        const auto& server = draft_.object;
        if (server.mark != 0) return server.mark_family;
        return server.addresses.empty() ? std::nullopt : std::optional{server.addresses.front().family};
    }
    bool serves_every_port() const {
        const auto& server = draft_.object;
        return server.mark == 0 && std::ranges::find(server.ports, 0) != server.ports.end();
    }

    void persistence(const ServerText& server) {
        if (const auto own = family(); own && server.persistence_prefix > full_prefix(*own))
            error(place("persistence_prefix"),
                  fmt::format("has a persistence_prefix longer than an {} address", to_string(*own)),
                  "IPv4 has 1 to 32");
        if (!server.persistence_engine.empty() && server.persistence_engine != "sip")
            error(place("persistence_engine"),
                  fmt::format("has the persistence engine '{}', which ip_vs lacks", server.persistence_engine),
                  "write sip");
        if ((server.persistence_prefix != 0 || !server.persistence_engine.empty()) &&
            server.persistence == Duration::zero())
            error(place(server.persistence_prefix != 0 ? "persistence_prefix" : "persistence_engine"),
                  "says how a client is known, but not that it stays", "add persistence: 50s");
        if (!server.persistence_engine.empty() && server.protocol != Protocol::udp)
            error(place("persistence_engine"), "has the engine sip, which reads udp only", "write protocol: udp");
    }

    /// A mark has no port, and a service of every port has none of its own.
    void check_ports(const RealServer& real) {
        const auto& server = draft_.object;
        const bool has_port = real.port != 0 || (server.mark == 0 && !serves_every_port());
        const auto lacks = [](const model::Check& check) {
            return model::is_network_probe(check.kind) && !std::holds_alternative<model::PingCheck>(check.kind) &&
                   check.socket.port == 0;
        };
        if (!has_port && std::ranges::any_of(real.checks, lacks))
            error(place_of(real.name), fmt::format("has no port for the check of real server '{}'", real.name),
                  "add connect_port to the check");
    }

    void check_sources(const RealServer& real) {
        for (const auto& check : real.checks) {
            const auto to = check.socket.address.value_or(real.address);
            if (!model::is_network_probe(check.kind) || !check.socket.source ||
                check.socket.source->family == to.family)
                continue;
            error(place_of(real.name),
                  fmt::format("checks real server '{}', {}, from {}", real.name, to_string(to),
                              to_string(*check.socket.source)),
                  "give a source of the same family");
            return;
        }
    }

    /// What the kernel would refuse, or silently change.
    void destination(const RealServer& real, const std::string& what, Mark mark) {
        const auto& server = draft_.object;
        const bool nat = real.forwarding.method == Forwarding::Method::nat;
        const auto own = family().value_or(real.address.family);
        if (real.address.family != own && real.forwarding.method != Forwarding::Method::tunnel)
            error(mark, fmt::format("is {}, and {} is {}", to_string(own), what, to_string(real.address.family)),
                  "only forwarding: tunnel crosses families");
        for (std::size_t i = 0; i < server.addresses.size(); ++i) {
            if (real.address == server.addresses[i] && (real.port == 0 || real.port == server.ports[i])) {
                error(mark, fmt::format("forwards to itself: {} is its own address", what),
                      "a real server has an address of its own");
                return;
            }
            if (!nat && real.port != 0 && real.port != server.ports[i]) {
                error(mark,
                      fmt::format("maps ports to {}, which {} can't: packets keep theirs", what,
                                  name(real.forwarding.method)),
                      fmt::format("remove the port, or use forwarding: nat"));
                return;
            }
        }
        if (server.mark != 0 && !nat && real.port != 0)
            error(mark, fmt::format("has a mark, so packets to {} keep their ports", what),
                  "remove the port, or use forwarding: nat");
    }

    Context& context_;
    const Draft<ServerText>& draft_;
    Mark mark_;
};

void resolve_services(ServerText& server) {
    if (server.nginx) {
        server.nginx = server.upstream;
        if (server.nginx->file.empty()) server.nginx->file = server.name + ".conf";
        return;
    }
    if (server.mark != 0)
        server.services.push_back(
            {.family = server.mark_family, .mark = server.mark, .protocol = server.protocol, .address = {}, .port = 0});
    for (std::size_t i = 0; i < server.addresses.size(); ++i)
        server.services.push_back({.family = server.addresses[i].family,
                                   .mark = 0,
                                   .protocol = server.protocol,
                                   .address = server.addresses[i],
                                   .port = server.ports[i]});
    std::ranges::sort(server.services);
}

void check_families(Context& context, const Read& read) {
    const auto& addresses = read.draft.object.addresses;
    const auto other =
        std::ranges::find_if(addresses, [&](const IpAddress& a) { return a.family != addresses.front().family; });
    if (other != addresses.end())
        context.problems.error(read.draft.place("addresses", read.entry->mark),
                               fmt::format("virtual server '{}' has addresses of both families", read.entry->key),
                               "make two virtual servers: their real servers differ too");
}

void check_shared(Context& context, const std::vector<Read>& all) {
    std::map<ServiceKey, const Read*> owners;
    for (const auto& read : all)
        for (const auto& key : read.draft.object.services) {
            const auto [first, fresh] = owners.emplace(kernel_key(key), &read);
            if (fresh) continue;
            context.problems.error(read.entry->mark,
                                   fmt::format("{} is a service of virtual server '{}' already", to_string(key),
                                               first->second->entry->key),
                                   fmt::format("it stands at {}; a service has one pool",
                                               context.sources.place(first->second->entry->mark)));
            break;
        }
}

} // namespace

void check_followed(Context& context, const std::string& name, Mark mark, const ServerNames& names) {
    auto all = names.instances;
    std::ranges::copy(names.groups, std::back_inserter(all));
    if (std::ranges::find(all, name) != all.end()) return;
    const auto slip = nearest(name, all);
    context.problems.error(mark, fmt::format("there is no instance or sync group {}", in_quotes(name)),
                           slip ? fmt::format("did you mean '{}'?", *slip) : "describe it under 'instances:'");
}

void check_tracked_server(Context& context, const Draft<model::Tracker>& draft, Mark mark,
                          const std::vector<const Entry*>& servers) {
    const auto* const kind = std::get_if<model::ServerTracker>(&draft.object.kind);
    if (!kind || std::ranges::find(servers, kind->server, &Entry::key) != servers.end()) return;
    context.problems.error(draft.place("virtual_server", mark),
                           fmt::format("there is no virtual server '{}'", kind->server),
                           "describe it under 'virtual_servers:'");
}

std::vector<VirtualServer> read_virtual_servers(Context& context, const std::vector<const Entry*>& entries,
                                                const ServerNames& names) {
    std::vector<Read> all;
    for (const auto* entry : entries) {
        auto& read = all.emplace_back(entry, Draft<ServerText>{});
        read.draft.object.name = entry->key;
        read_object<ServerText>(context, entry->value, server_directives(), foreign_server_words(), "a virtual server",
                                read.draft);
        require<ServerText>(context, server_directives(), read.draft, fmt::format("virtual server '{}'", entry->key),
                            entry->mark);
        const auto before = context.problems.count();
        Check check{context, read};
        check.service();
        check_kind(context, read.draft, entry->mark);
        check_families(context, read);
        if (context.problems.count() == before) check.pool();
        if (context.problems.count() == before) check_directors(context, read.draft, entry->mark);
        if (const auto& followed = read.draft.object.while_master;
            !followed.empty() && is_directed_by(read.draft.object, context.node_name))
            check_followed(context, followed, read.draft.place("while_master", entry->mark), names);
        resolve_services(read.draft.object);
    }
    check_shared(context, all);
    std::vector<std::pair<const Entry*, const model::Upstream*>> upstreams;
    for (const auto& read : all)
        if (const auto& nginx = read.draft.object.nginx) upstreams.emplace_back(read.entry, &*nginx);
    check_upstream_files(context, upstreams);
    std::vector<VirtualServer> result;
    for (auto& read : all)
        result.push_back(static_cast<VirtualServer&&>(read.draft.object));
    std::ranges::sort(result, {}, &VirtualServer::name);
    return result;
}

} // namespace holdfast::config
