// Reads the configuration's files, off the loop thread. What comes back is a finished Config or everything that is wrong;
// the running state is untouched either way.
#pragma once

#include "base/mailbox.hpp"
#include "daemon/options.hpp"
#include "model/config.hpp"

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace holdfast::daemon {

struct LoadedConfig {
    std::shared_ptr<const model::Config> config; ///< null when the files are not valid
    std::string hash;                            ///< 16 hex digits
    std::vector<std::string> problems;           ///< rendered, errors or (when there is a config) warnings
};

/// Blocking; for the start and for the loader's thread.
LoadedConfig load_config(const Options&);

class Loader {
  public:
    /// `done` is called on the loader's thread.
    Loader(Options options, std::function<void(LoadedConfig)> done);
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    void load() { requests_.push(Request::load); }
    /// Frees what another thread allocated, here instead of on the loop.
    void dispose(std::shared_ptr<const model::Config> config) { garbage_.push(std::move(config)); }

  private:
    enum class Request { load, stop };
    void loop();

    Options options_;
    std::function<void(LoadedConfig)> done_;
    Mailbox<Request> requests_;
    Mailbox<std::shared_ptr<const model::Config>> garbage_;
    std::thread thread_;
};

} // namespace holdfast::daemon
