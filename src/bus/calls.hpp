// D-Bus calls that ask the loop for something and are answered later, by number. Who may ask was decided before (bus/gate).
// At most 64 wait at a time, whoever asks, so no client can make this grow.
#pragma once

#include "bus/messages.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
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
    static constexpr std::size_t most = 64;

    explicit Calls(std::function<void(ToLoop)> tell_loop) : tell_loop_{std::move(tell_loop)} {}

    void instance(engine::InstanceCommand command, Answer answer);
    void server(engine::ServerCommand command, Answer answer);
    void reload(Answer answer);
    /// `reason`: nothing ends it.
    void maintenance(std::optional<std::string> reason, Answer answer);
    void change(model::ServerChange change, Answer answer);

    void answer(const engine::Reply& reply);
    void answer(const ReloadEnded& ended);
    void answer(const MaintenanceAnswered& answered);
    void answer(const ServerChanged& changed);
    void stopping();

  private:
    void admit(Answer answer, const std::function<ToLoop(std::uint64_t)>& ask_loop);
    void finish(std::uint64_t id, const Outcome& outcome);

    std::function<void(ToLoop)> tell_loop_;
    std::map<std::uint64_t, Answer> waiting_;
    std::uint64_t next_id_{1};
};

} // namespace holdfast::bus
