// Requests to read the configuration again, one reading at a time. A request that comes during a reading may mean a newer
// file: it is answered by a second one.
#pragma once

#include "daemon/loader.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace holdfast::daemon {

class Reloads {
  public:
    /// `result` is called on the loader's thread.
    Reloads(const Options& options, LoadedConfig in_force, std::function<void(LoadedConfig)> result)
        : loader_{options, std::move(in_force), std::move(result)} {}

    /// `command` is a D-Bus call that waits for the answer. True: a reading begins now.
    bool ask(std::optional<std::uint64_t> command);
    /// The commands that the reading which ended answers.
    std::vector<std::uint64_t> answered() { return std::exchange(now_, {}); }
    /// Behind the last result. True: another reading begins.
    bool ended();

    /// A server comes or goes, behind the reading that is under way; its result says so.
    void change(bus::ServerChangeRequested change) { loader_.change(std::move(change)); }

    /// An old configuration dies on the loader's thread: it may be large.
    void dispose(std::shared_ptr<const model::Config> config) { loader_.dispose(std::move(config)); }

  private:
    Loader loader_;
    bool reading_{false}, again_{false};
    std::vector<std::uint64_t> now_, next_;
};

} // namespace holdfast::daemon
