// D-Bus calls that ask the loop for something and are answered later, by number. Only root and our own user may ask. At
// most 64 wait at a time, whoever asks, so no client can make this grow.
#pragma once

#include "bus/messages.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace holdfast::bus {

struct Outcome {
    std::string error; ///< D-Bus error name; empty: success
    std::string text;
    std::vector<std::string> lines;
};

class Calls {
  public:
    using Answer = std::function<void(const Outcome&)>;
    /// Asks the bus which user a caller is; nothing when it is gone.
    using AskUser = std::function<void(const std::string& caller, std::function<void(std::optional<uid_t>)>)>;
    static constexpr std::size_t most = 64;

    Calls(std::function<void(ToLoop)> tell_loop, AskUser ask_user)
        : tell_loop_{std::move(tell_loop)}, ask_user_{std::move(ask_user)} {}

    void instance(const std::string& caller, engine::InstanceCommand command, Answer answer);
    void server(const std::string& caller, engine::ServerCommand command, Answer answer);
    void reload(const std::string& caller, Answer answer);
    /// `reason`: nothing ends it.
    void maintenance(const std::string& caller, std::optional<std::string> reason, Answer answer);

    void answer(const engine::Reply& reply);
    void answer(const ReloadEnded& ended);
    void answer(const MaintenanceAnswered& answered);
    void stopping();

  private:
    void admit(const std::string& caller, Answer answer, std::function<ToLoop(std::uint64_t)> ask_loop);
    void finish(std::uint64_t id, const Outcome& outcome);

    std::function<void(ToLoop)> tell_loop_;
    AskUser ask_user_;
    std::map<std::uint64_t, Answer> waiting_;
    std::uint64_t next_id_{1};
};

} // namespace holdfast::bus
