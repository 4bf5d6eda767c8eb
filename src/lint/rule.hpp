// What a rule of lint gets, and where it puts what it finds.
#pragma once

#include "config/load.hpp"

#include <string>
#include <vector>

namespace holdfast::lint {

class Findings {
  public:
    explicit Findings(const config::Origins& origins) : origins_{origins} {}

    /// At the directive ("instances/web/priority"), or at its object when the file does not give it.
    void warn(const std::string& path, std::string message, std::string hint);
    std::vector<config::Diagnostic> take();

  private:
    const config::Origins& origins_;
    std::vector<config::Diagnostic> found_;
};

using Rule = void (*)(const config::Loaded&, Findings&);

void owner_rules(const config::Loaded&, Findings&);
void link_rules(const config::Loaded&, Findings&);
void preemption_rules(const config::Loaded&, Findings&);
void weight_rules(const config::Loaded&, Findings&);
void priority_rules(const config::Loaded&, Findings&);
void group_rules(const config::Loaded&, Findings&);
void tracker_rules(const config::Loaded&, Findings&);
void notify_rules(const config::Loaded&, Findings&);
void watch_rules(const config::Loaded&, Findings&);
void authentication_rules(const config::Loaded&, Findings&);
void size_rules(const config::Loaded&, Findings&);

/// Calls `use(instance)` once for every instance of the file (`web/ipv4` and `web/ipv6` have the same directives).
template <typename Use>
void each_object(const config::Loaded& loaded, Use use) {
    std::string last;
    for (const auto& instance : loaded.config.instances) {
        const auto name = model::object_name(instance.name);
        if (name == last) continue;
        last = name;
        use(instance, name, "instances/" + name);
    }
}

} // namespace holdfast::lint
