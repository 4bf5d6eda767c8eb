#include "model/check.hpp"

namespace holdfast::model {

std::string_view kind_name(const Check& check) {
    static constexpr std::string_view names[] = {"tcp", "http", "smtp", "dns", "udp", "ping", "tracker", "script"};
    static_assert(std::size(names) == std::variant_size_v<CheckKind>);
    const auto* const http = std::get_if<HttpCheck>(&check.kind);
    return http && http->tls ? "https" : names[check.kind.index()];
}

bool is_network_probe(const CheckKind& kind) {
    return !std::holds_alternative<TrackerCheck>(kind) && !std::holds_alternative<ScriptCheck>(kind);
}

} // namespace holdfast::model
