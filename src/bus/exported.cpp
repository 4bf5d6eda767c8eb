#include "bus/exported.hpp"

#include "bus/names.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::bus {

std::optional<Duration> span_of(const Options& options, std::string_view word) {
    std::optional<Duration> span;
    for (const auto& [key, value] : options) {
        if (key != word || !value.containsValueOfType<std::uint64_t>())
            throw compat::error(error_invalid_args,
                                fmt::format("option '{}' is not known here: there is '{}' (type t)", key, word));
        constexpr std::uint64_t century = 100ULL * 365 * 86400 * 1'000'000; // more would overflow nanoseconds
        span = std::chrono::microseconds{std::min(value.get<std::uint64_t>(), century)};
    }
    return span;
}

std::vector<ObjectPath> trackers_of(const std::vector<model::TrackUse>& uses) {
    std::vector<ObjectPath> result;
    for (const auto& use : uses)
        result.push_back(object(tracker_path(use.tracker)));
    return result;
}

std::vector<Struct<std::string, bool>> extras(const std::vector<engine::ExtraView>& views) {
    std::vector<Struct<std::string, bool>> result;
    for (const auto& each : views)
        result.emplace_back(each.text, each.installed);
    return result;
}

} // namespace holdfast::bus
