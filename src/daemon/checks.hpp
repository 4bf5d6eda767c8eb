// Carries the checks of virtual servers to the helper that makes them, and its verdicts to the engine. Decides nothing: the
// engine knows a check by its number, a helper by its own.
#pragma once

#include "daemon/trackers.hpp"
#include "engine/action.hpp"

#include <map>

namespace holdfast::daemon {

class Checks {
  public:
    Checks(Trackers& helpers, std::function<void(engine::Event)> deliver)
        : helpers_{helpers}, deliver_{std::move(deliver)} {}

    void start(engine::StartCheck check);
    void stop(engine::CheckId id);
    void probe_now(engine::CheckId id);

  private:
    struct Running {
        ipc::WatchId watch;
        engine::StartCheck check;
    };
    static ipc::Request request(const engine::StartCheck& check, ipc::WatchId id);

    Trackers& helpers_;
    std::function<void(engine::Event)> deliver_;
    std::map<engine::CheckId, Running> running_;
};

} // namespace holdfast::daemon
