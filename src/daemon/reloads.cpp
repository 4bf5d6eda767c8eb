#include "daemon/reloads.hpp"

#include <utility>

namespace holdfast::daemon {

bool Reloads::ask(std::optional<std::uint64_t> command) {
    if (command) (reading_ ? next_ : now_).push_back(*command);
    if (reading_) {
        again_ = true;
        return false;
    }
    reading_ = true;
    loader_.load();
    return true;
}

bool Reloads::ended() {
    reading_ = false;
    if (!std::exchange(again_, false)) return false;
    now_ = std::exchange(next_, {});
    return ask(std::nullopt);
}

} // namespace holdfast::daemon
