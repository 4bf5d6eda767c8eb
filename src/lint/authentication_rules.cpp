// Rules about `authentication:`: what is weaker than it looks.
#include "lint/rule.hpp"

#include <fmt/format.h>

namespace holdfast::lint {
namespace {

using model::HmacMode;
using model::Instance;

void weak_type(const std::string& name, const std::string& path, std::string_view what, Findings& findings) {
    findings.warn(path, fmt::format("'{}' {}: that keeps out mistakes, not attackers", name, what),
                  "it is for older routers; between hosts of holdfast and keepalived 2.4 use type: hmac");
}

void unfinished(const model::HmacAuthentication& hmac, const std::string& name, const std::string& path,
                Findings& findings) {
    if (hmac.mode == HmacMode::enforce) return;
    const bool silent = hmac.mode == HmacMode::receive_only;
    findings.warn(
        path,
        fmt::format("'{}' still accepts adverts without a signature{}", name, silent ? ", and signs none itself" : ""),
        silent ? "next, when every host has the keys: mode: permissive, then mode: enforce"
               : "next, when every host signs: mode: enforce");
}

} // namespace

void authentication_rules(const config::Loaded& loaded, Findings& findings) {
    each_object(loaded, [&](const Instance& instance, const std::string& name, const std::string& object) {
        if (!instance.authentication) return;
        const auto path = object + "/authentication";
        if (std::holds_alternative<model::PassAuthentication>(*instance.authentication))
            weak_type(name, path, "sends its password in plain text", findings);
        if (std::holds_alternative<model::AhAuthentication>(*instance.authentication))
            weak_type(name, path, "is authenticated by MD5 with a key of 8 bytes", findings);
        if (const auto* hmac = std::get_if<model::HmacAuthentication>(&*instance.authentication))
            unfinished(*hmac, name, path, findings);
    });
}

} // namespace holdfast::lint
