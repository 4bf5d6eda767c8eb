// Programs and reads the kernel's load balancer on a thread of its own: a table of ten thousand servers takes longer than an
// advert can wait, and the kernel may have to load ip_vs first. Requests are carried out and answered in order.
#pragma once

#include "base/worker.hpp"
#include "engine/event.hpp"
#include "kernel/ipvs_table.hpp"

#include <functional>
#include <variant>

namespace holdfast::kernel {

class Ipvs {
  public:
    using Answer = std::variant<engine::IpvsDone, engine::IpvsRead>;
    /// `report` is called on the thread of the table.
    explicit Ipvs(std::function<void(Answer)> report, IpvsTable table = IpvsTable{});

    void program(engine::ProgramIpvs batch) { worker_.ask(std::move(batch)); }
    void list(engine::ListIpvs how = {}) { worker_.ask(how); }

  private:
    using Request = std::variant<engine::ProgramIpvs, engine::ListIpvs>;
    void answer(const Request&);

    std::function<void(Answer)> report_;
    IpvsTable table_;
    Worker<Request> worker_;
};

} // namespace holdfast::kernel
