#include "model/tracker.hpp"

#include "base/result.hpp"
#include "base/text.hpp"

namespace holdfast::model {

std::string_view kind_name(const TrackerKind& kind) {
    return std::visit(Overloaded{[](const InterfaceTracker&) { return std::string_view{"interface"}; },
                                 [](const ProcessTracker&) { return std::string_view{"process"}; },
                                 [](const UnitTracker&) { return std::string_view{"unit"}; },
                                 [](const HttpTracker&) { return std::string_view{"http"}; },
                                 [](const TcpTracker&) { return std::string_view{"tcp"}; },
                                 [](const ScriptTracker&) { return std::string_view{"script"}; },
                                 [](const FileTracker&) { return std::string_view{"file"}; },
                                 [](const BfdTracker&) { return std::string_view{"bfd"}; },
                                 [](const RouteTracker&) { return std::string_view{"route"}; },
                                 [](const ServerTracker&) { return std::string_view{"virtual_server"}; }},
                      kind);
}

std::string target(const TrackerKind& kind) {
    const auto process = [](const ProcessTracker& t) {
        if (!t.command.empty()) return join(t.command, " ");
        return t.arguments.empty() ? t.process : t.process + " " + join(t.arguments, " ");
    };
    return std::visit(
        Overloaded{
            [](const InterfaceTracker& t) { return t.interface; }, process, [](const UnitTracker& t) { return t.unit; },
            [](const HttpTracker& t) { return t.url; }, [](const TcpTracker& t) { return t.address; },
            [](const ScriptTracker& t) { return join(t.script, " "); }, [](const FileTracker& t) { return t.file; },
            [](const BfdTracker& t) { return to_string(t.neighbor); },
            [](const RouteTracker& t) { return to_string(t.route); }, [](const ServerTracker& t) { return t.server; }},
        kind);
}

Delays delays(const TrackerKind& kind) {
    if (const auto* interface = std::get_if<InterfaceTracker>(&kind))
        return {interface->up_delay, interface->down_delay};
    if (const auto* process = std::get_if<ProcessTracker>(&kind))
        return {process->fork_delay, process->terminate_delay};
    return {};
}

} // namespace holdfast::model
