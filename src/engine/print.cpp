#include "engine/print.hpp"

#include "base/result.hpp"

#include <fmt/format.h>

namespace holdfast::engine {
namespace {

std::string operation(const Operation& op) {
    const auto lease = [](const auto& add) { return add.lease ? fmt::format(" lease={}s", add.lease->count()) : ""; };
    return std::visit(
        Overloaded{
            [&](const AddAddress& add) { return fmt::format("+{}{}", to_string(add.prefix), lease(add)); },
            [&](const RenewAddress& renew) {
                return fmt::format("renew({}{})", to_string(renew.prefix), lease(renew));
            },
            [](const RemoveAddress& remove) { return fmt::format("-{}", to_string(remove.prefix)); },
            [](const PutRoute& put) {
                return fmt::format("{}route({})", put.replace ? "replace " : "+", to_string(*put.route));
            },
            [](const RemoveRoute& remove) { return fmt::format("-route({})", to_string(remove.id)); },
            [](const PutRule& put) { return fmt::format("+rule({})", to_string(*put.rule)); },
            [](const RemoveRule& remove) { return fmt::format("-rule({})", to_string(*remove.rule)); },
            [](const PromoteSecondaries& promote) {
                return fmt::format("promote_secondaries({})", promote.link.value);
            },
            [](const AddLink& add) {
                return fmt::format("+link {} {}", add.name, add.ipvlan ? "ipvlan" : to_string(add.mac));
            },
            [](const ConfigureLink& link) { return fmt::format("configure({})", link.link.value); },
            [](const SetLinkUp& set) { return fmt::format("link({} {})", set.link.value, set.up ? "up" : "down"); },
            [](const RemoveLink& remove) { return fmt::format("-link {}", remove.link.value); },
            [](const SetArp& set) {
                return fmt::format("arp({} ignore={} filter={} announce={})", set.link.value, set.arp.arp_ignore,
                                   set.arp.arp_filter, set.arp.arp_announce);
            }},
        op.what);
}

std::string_view word(Observation observation) {
    switch (observation) {
    case Observation::up: return "up";
    case Observation::down: return "down";
    case Observation::unknown: break;
    }
    return "unknown";
}

} // namespace

std::string to_string(const Event& event) {
    return std::visit(
        Overloaded{
            [](const AdvertReceived& e) {
                return fmt::format("advert from {} vrid={} priority={} interval={}", to_string(e.source),
                                   e.advert.vrid.value, e.advert.priority.value,
                                   holdfast::to_string(e.advert.interval));
            },
            [](const AdvertRejected& e) {
                return fmt::format("rejected from {}: {}", to_string(e.source), wire::name(e.reason));
            },
            [](const QueueOverflowed& e) { return fmt::format("queue of link {} overflowed", e.link.value); },
            [](const AnnouncementSeen& e) {
                return fmt::format("{} is at {}", to_string(e.announcement.address), to_string(e.announcement.mac));
            },
            [](const LinkChanged& e) { return fmt::format("link {} {}", e.link.name, e.link.up ? "up" : "down"); },
            [](const LinkRemoved& e) { return fmt::format("link {} gone", e.link.value); },
            [](const AddressChanged& e) { return fmt::format("address {}", to_string(e.address.prefix)); },
            [](const AddressRemoved& e) { return fmt::format("address {} gone", to_string(e.prefix)); },
            [](const RouteChanged& e) { return fmt::format("route {}", to_string(e.route.id)); },
            [](const RouteRemoved& e) { return fmt::format("route {} gone", to_string(e.route.id)); },
            [](const RuleChanged& e) { return fmt::format("rule {}", to_string(*e.rule)); },
            [](const RuleRemoved& e) { return fmt::format("rule {} gone", to_string(*e.rule)); },
            [](const KernelListed& e) {
                return fmt::format("listed {} links, {} addresses", e.links.size(), e.addresses.size());
            },
            [](const OperationDone& e) { return fmt::format("operation {} done: {}", e.id.value, e.error); },
            [](const ListenDone& e) { return fmt::format("listening on link {}: {}", e.link.value, e.error); },
            [](const TrackerObserved& e) {
                return fmt::format("tracker {} {}: {}", e.tracker, word(e.observation), e.detail);
            },
            [](const ScriptEnded& e) { return fmt::format("script {} of {} ended: {}", e.what, e.object, e.detail); },
            [](const FilterDone& e) {
                return fmt::format("filter {} done: {}", e.id.value, e.problem.empty() ? "ok" : e.problem);
            },
            [](const Recovered& e) { return fmt::format("recovered {} routers", e.record.routers.size()); },
            [](const WallClockSet& e) { return fmt::format("wall clock is {} ahead", holdfast::to_string(e.ahead)); },
            [](const ConfigLoaded& e) { return fmt::format("config with {} instances", e.config->instances.size()); },
            [](const Commanded& e) { return fmt::format("failover {}", e.command.name); },
            [](const CheckObserved& e) {
                return fmt::format("check {} {}: {}", e.id.value,
                                   e.probed.unknown ? "unknown"
                                   : e.probed.good  ? "good"
                                                    : "bad",
                                   e.probed.detail);
            },
            [](const IpvsRead& e) {
                return e.table ? fmt::format("read {} services: {}", e.table->services.size(), e.table->error)
                               : "read no other services";
            },
            [](const MaintenanceSet& e) { return "maintenance: " + e.reason.value_or("over"); },
            [](const UpstreamsWritten& e) {
                return fmt::format("upstreams {} written: {}", e.id.value, e.problem.empty() ? "taken" : e.problem);
            },
            [](const IpvsDone& e) { return fmt::format("programmed {}: {} failed", e.id.value, e.failed.size()); },
            [](const ServerCommanded& e) { return fmt::format("command for {}/{}", e.command.server, e.command.real); },
            [](const StopRequested& e) { return std::string{e.returns ? "restart" : "stop"}; },
            [](const Elapsed&) { return std::string{"elapsed"}; },
        },
        event);
}

std::string to_string(const Action& action) {
    return std::visit(
        Overloaded{
            [](const SendAdvert& a) {
                return a.copies > 1 ? fmt::format("advert({})x{}", a.priority.value, a.copies)
                                    : fmt::format("advert({})", a.priority.value);
            },
            [](const Announce& a) { return fmt::format("announce({})", to_string(a.announcement.address)); },
            [](const ListenFor& a) {
                std::string groups;
                for (const auto& group : a.groups)
                    groups += " " + to_string(group);
                return fmt::format("listen_for({} {} {} routers{})", a.link.value, holdfast::to_string(a.family),
                                   a.vrids.count(), groups);
            },
            [](const Listen& a) { return fmt::format("listen({} {})", a.link.value, holdfast::to_string(a.family)); },
            [](const Unlisten& a) {
                return fmt::format("unlisten({} {})", a.link.value, holdfast::to_string(a.family));
            },
            [](const Operation& a) { return operation(a); },
            [](const ListKernel&) { return std::string{"list"}; },
            [](const WatchRoutes& a) { return fmt::format("watch {} routes", a.where.size()); },
            [](const StartTracker& a) { return fmt::format("start({})", a.tracker.name); },
            [](const StopTracker& a) { return fmt::format("stop({})", a.name); },
            [](const RestartUnit& a) { return fmt::format("restart({})", a.unit); },
            [](const StartCheck& a) { return fmt::format("check({} {})", a.name, model::kind_name(a.check)); },
            [](const StopCheck& a) { return fmt::format("stop_check({})", a.id.value); },
            [](const ProbeNow& a) { return fmt::format("probe({})", a.id.value); },
            [](const WriteUpstreams& a) { return fmt::format("upstreams({} files)", a.files.size()); },
            [](const ProgramIpvs& a) { return fmt::format("ipvs({} steps)", a.steps.size()); },
            [](const ListIpvs& a) { return std::string{a.glance ? "glance_ipvs" : "list_ipvs"}; },
            [](const RunHook& a) { return fmt::format("hook({})", a.what); },
            [](const Reply& a) { return fmt::format("reply({}): {}", a.error ? "error" : "ok", a.text); },
            [](const Tell& a) { return fmt::format("note: {}", a.note.text); },
            [](const SetFilter& a) {
                std::string text = "filter(";
                for (const auto& address : a.refused)
                    text += (text.back() == '(' ? "" : " ") + to_string(address);
                for (const auto& service : a.guard.services)
                    text +=
                        fmt::format("{}{}:{}", text.back() == '(' ? "" : " ", to_string(service.address), service.port);
                return text + ")";
            },
            [](const Finished&) { return std::string{"finished"}; },
        },
        action);
}

} // namespace holdfast::engine
