// Programs and reads the kernel's load balancer on a thread of its own: a table of ten thousand servers takes longer than an
// advert can wait, and the kernel may have to load ip_vs first. Requests are carried out and answered in order.
#pragma once

#include "base/mailbox.hpp"
#include "engine/ipvs.hpp"
#include "kernel/ipvs_table.hpp"

#include <functional>
#include <thread>
#include <variant>

namespace holdfast::kernel {

class Ipvs {
  public:
    using Answer = std::variant<engine::IpvsDone, engine::IpvsListed>;
    /// `report` is called on the thread of the table.
    explicit Ipvs(std::function<void(Answer)> report, IpvsTable table = IpvsTable{});
    /// What was asked before is done first.
    ~Ipvs();
    Ipvs(const Ipvs&) = delete;
    Ipvs& operator=(const Ipvs&) = delete;

    void program(engine::ProgramIpvs batch) { requests_.push(std::move(batch)); }
    void list() { requests_.push(engine::ListIpvs{}); }

  private:
    struct Stop {};
    void loop();

    std::function<void(Answer)> report_;
    IpvsTable table_;
    Mailbox<std::variant<engine::ProgramIpvs, engine::ListIpvs, Stop>> requests_;
    std::thread thread_;
};

} // namespace holdfast::kernel
