// Whether a call may come in: what it needs (bus/access), how often its caller may ask (bus/limiter), who the caller is (the
// kernel says it of a private client, the bus of all others), and what polkit says. Root needs nobody's leave. Default is no.
#pragma once

#include "bus/access.hpp"
#include "bus/limiter.hpp"
#include "bus/polkit.hpp"
#include "bus/private_socket.hpp"

#include <map>
#include <optional>
#include <string>

namespace holdfast::bus {

class Gate {
  public:
    /// Bounds of what waits for an answer about its caller: a person may think for minutes.
    static constexpr std::size_t most = 4096, most_at_polkit = 64, most_of_user_at_polkit = 8;
    /// Told of each call that changes something: who, what, and whether it was let in.
    using Witness = std::function<void(bool allowed, std::string text)>;

    Gate(Connection& connection, const PrivateSocket& private_socket, Witness witness);
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    /// `then` is called once: with why not, or with nothing; not at all when the caller leaves before that is known.
    void decide(sd_bus_message* call, const std::string& caller, Exchange::Then then);
    /// A caller has left the bus; empty: the bus itself has gone, and all names with it.
    void gone(const std::string& caller);

  private:
    struct Waiting {
        Question question;
        Exchange::Then then;
        std::optional<uid_t> user; ///< known, and not root: polkit is asked
    };

    void ask_user(Question question, Exchange::Then then);
    void learnt_user(std::uint64_t number, std::optional<uid_t> user);
    void learnt_verdict(std::uint64_t number, const Verdict& verdict);
    void finish(std::uint64_t number, std::optional<Refusal> refusal);
    bool polkit_has_room(uid_t user) const;

    Connection& connection_;
    const PrivateSocket& private_;
    Witness witness_;
    Limiter limiter_;
    Polkit polkit_;
    std::map<std::uint64_t, Waiting> waiting_;
    std::uint64_t last_number_{0};
};

} // namespace holdfast::bus
