// The packet filter tables of `accept: off` and of `guard: on`, by the `nft` program: nftables' libraries are GPL and are not linked. One JSON
// transaction replaces our table `inet holdfast` as a whole, beside it the rules of `inet holdfast-guard`, and touches nothing else. The program runs as a child of a thread
// of its own, with the daemon's CAP_NET_ADMIN, so nobody waits for it.
#pragma once

#include "base/mailbox.hpp"
#include "engine/action.hpp"
#include "engine/event.hpp"

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace holdfast::kernel {

/// What nft(8) is told of the guard: table `inet holdfast-guard` learns who directs, and marks what clients send to services
/// that this host directs. Where it `is_there`, only its rules are replaced: what it has learnt stays. Without a guard there is
/// no table.
std::string guard_table(const engine::Guard&, bool is_there);
/// What nft(8) is told: packets to these addresses are dropped, except what IPv6 neighbors need of each other; without any
/// address there is no table.
std::string filter_table(const std::vector<IpAddress>& refused);

class Nft {
  public:
    /// `report` is called on the thread of the child, with FilterDone.
    explicit Nft(std::function<void(engine::Event)> report);
    ~Nft();
    Nft(const Nft&) = delete;
    Nft& operator=(const Nft&) = delete;

    void set(engine::SetFilter wish) { requests_.push(std::move(wish)); }

  private:
    struct Stop {};
    void loop();

    std::function<void(engine::Event)> report_;
    Mailbox<std::variant<engine::SetFilter, Stop>> requests_;
    engine::FilterDone set_guard(const engine::SetFilter&);
    engine::FilterDone carry_out(const engine::SetFilter&);

    // Of that thread. The first wish finds what a process before us may have left.
    std::optional<std::vector<IpAddress>> refused_;
    std::optional<engine::Guard> guard_;
    std::thread thread_;
};

} // namespace holdfast::kernel
