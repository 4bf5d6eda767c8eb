#include "model/tracker.hpp"

#include "base/result.hpp"

namespace holdfast::model {

std::string_view kind_name(const TrackerKind& kind) {
    return std::visit(Overloaded{[](const InterfaceTracker&) { return std::string_view{"interface"}; },
                                 [](const ProcessTracker&) { return std::string_view{"process"}; },
                                 [](const UnitTracker&) { return std::string_view{"unit"}; },
                                 [](const HttpTracker&) { return std::string_view{"http"}; },
                                 [](const BfdTracker&) { return std::string_view{"bfd"}; }},
                      kind);
}

std::string target(const TrackerKind& kind) {
    return std::visit(Overloaded{[](const InterfaceTracker& t) { return t.interface; },
                                 [](const ProcessTracker& t) { return t.process; },
                                 [](const UnitTracker& t) { return t.unit; },
                                 [](const HttpTracker& t) { return t.url; },
                                 [](const BfdTracker& t) { return to_string(t.neighbor); }},
                      kind);
}

} // namespace holdfast::model
