// The packet filter table of `accept: off`, by the `nft` program: nftables' libraries are GPL and are not linked. One JSON
// transaction replaces our table `inet holdfast` as a whole and touches nothing else. The program runs as a child of a thread
// of its own, with the daemon's CAP_NET_ADMIN, so nobody waits for it.
#pragma once

#include "base/mailbox.hpp"
#include "engine/action.hpp"
#include "engine/event.hpp"

#include <functional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace holdfast::kernel {

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
    std::thread thread_;
};

} // namespace holdfast::kernel
