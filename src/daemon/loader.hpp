// Reads the configuration's files, off the loop thread. What comes back is a finished Config or everything that is wrong;
// the running state is untouched either way.
#pragma once

#include "base/mailbox.hpp"
#include "base/time.hpp"
#include "bus/messages.hpp"
#include "config/load.hpp"
#include "daemon/options.hpp"
#include "model/config.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace holdfast::daemon {

/// What a configuration was made of, so that a change of one server takes nothing else along that was written since.
struct ConfigTexts {
    std::vector<config::Source> files; ///< the user's
    std::map<std::string, std::optional<std::string>> credentials;
    std::map<std::string, config::Parsed<std::string>> key_files;
};

struct LoadedConfig {
    std::shared_ptr<const model::Config> config; ///< null when the files are not valid
    std::string hash{};                          ///< 16 hex digits
    Duration took{};                             ///< to read and check them, of a reload
    std::vector<std::string> problems{};         ///< rendered, errors or (when there is a config) warnings
    std::shared_ptr<const ConfigTexts> texts{};  ///< with a config
    std::optional<bus::ServerChanged> change{}; ///< it was not a reload that was asked for; refused: there is no config
    std::vector<config::LeftOut> left_out{};    ///< of what was added; in `problems` too
};

/// Blocking; for the start and for the loader's thread.
LoadedConfig load_config(const Options&);
/// The same of these texts and of overlays (decision 0027).
LoadedConfig load_texts(const Options&, ConfigTexts, const std::vector<config::Source>& overlays);

class Loader {
  public:
    /// `in_force`: what was loaded before. `done` is called on the loader's thread, in the order of what is asked.
    Loader(Options options, LoadedConfig in_force, std::function<void(LoadedConfig)> done);
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    void load() { requests_.push(Load{}); }
    void change(bus::ServerChangeRequested change) { requests_.push(std::move(change)); }
    /// Frees what another thread allocated, here instead of on the loop.
    void dispose(std::shared_ptr<const model::Config> config) { garbage_.push(std::move(config)); }

  private:
    struct Load {};
    struct Stop {};
    using Request = std::variant<Load, bus::ServerChangeRequested, Stop>;
    void loop();
    LoadedConfig reload() const;
    void answer(LoadedConfig);

    Options options_;
    LoadedConfig in_force_; ///< of the loader's thread
    std::function<void(LoadedConfig)> done_;
    Mailbox<Request> requests_;
    Mailbox<std::shared_ptr<const model::Config>> garbage_;
    std::thread thread_;
};

} // namespace holdfast::daemon
