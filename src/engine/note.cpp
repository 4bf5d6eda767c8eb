#include "engine/note.hpp"

#include <utility>

namespace holdfast::engine {

std::optional<unsigned> NoteLimiter::pass(std::uint64_t key, Time now) {
    auto& entry = entries_[key];
    if (now < entry.again) {
        ++entry.suppressed;
        return std::nullopt;
    }
    entry.again = now + window;
    return std::exchange(entry.suppressed, 0U);
}

} // namespace holdfast::engine
