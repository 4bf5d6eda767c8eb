// polkit's say on one caller and one action, by plain D-Bus calls. First without a person, so that a polkit that hangs is
// known soon; then, where it wants a password and the call lets it ask for one, with as much time as typing takes.
#pragma once

#include "bus/access.hpp"
#include "bus/connection.hpp"

#include <functional>
#include <string>

namespace holdfast::bus {

struct Question {
    std::uint64_t number{}; ///< of this call: by it a question can be taken back
    std::string caller;     ///< its unique name on the bus
    Action action{};
    bool interactive{false};    ///< the caller lets us have a person asked
    std::string object, method; ///< for rules, as action.lookup("object") and ("method")
};

struct Verdict {
    enum class Kind : std::uint8_t { yes, no, challenge, silent }; ///< challenge: yes, if a person could be asked
    Kind kind{Kind::silent};
    std::string reason; ///< why it is silent, in polkit's or the bus's words
};

class Polkit {
  public:
    static constexpr std::chrono::seconds answer_limit{5}; ///< it may have to be started first
    static constexpr std::chrono::seconds typing_limit{120};
    using Then = std::function<void(const Verdict&)>;

    explicit Polkit(Connection& connection) : connection_{connection} {}

    void ask(const Question& question, Then then) { ask(question, false, std::move(then)); }
    /// Nobody wants to know any more: a prompt on some screen goes.
    void take_back(std::uint64_t number);

  private:
    void ask(const Question& question, bool person, Then then);

    Connection& connection_;
};

} // namespace holdfast::bus
