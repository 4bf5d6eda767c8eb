#include "model/tracker.hpp"

#include "base/result.hpp"

namespace holdfast::model {

std::string_view kind_name(const TrackerKind& kind) {
    return std::visit(Overloaded{[](const InterfaceTracker&) { return std::string_view{"interface"}; },
                                 [](const ProcessTracker&) { return std::string_view{"process"}; },
                                 [](const UnitTracker&) { return std::string_view{"unit"}; },
                                 [](const HttpTracker&) { return std::string_view{"http"}; }},
                      kind);
}

const std::string& target(const TrackerKind& kind) {
    return std::visit(Overloaded{[](const InterfaceTracker& t) -> const std::string& { return t.interface; },
                                 [](const ProcessTracker& t) -> const std::string& { return t.process; },
                                 [](const UnitTracker& t) -> const std::string& { return t.unit; },
                                 [](const HttpTracker& t) -> const std::string& { return t.url; }},
                      kind);
}

} // namespace holdfast::model
