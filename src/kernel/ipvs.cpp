#include "kernel/ipvs.hpp"

#include <poll.h>
#include <pthread.h>

namespace holdfast::kernel {

Ipvs::Ipvs(std::function<void(Answer)> report, IpvsTable table) : report_{std::move(report)}, table_{std::move(table)} {
    thread_ = std::thread{[this] { loop(); }};
    pthread_setname_np(thread_.native_handle(), "ipvs");
}

Ipvs::~Ipvs() {
    requests_.push(Stop{});
    thread_.join();
}

void Ipvs::loop() {
    for (;;) {
        pollfd wait{requests_.fd(), POLLIN, 0};
        ::poll(&wait, 1, -1);
        for (auto& request : requests_.take()) {
            if (std::holds_alternative<Stop>(request)) return;
            if (const auto* batch = std::get_if<engine::ProgramIpvs>(&request)) report_(table_.program(*batch));
            if (std::holds_alternative<engine::ListIpvs>(request)) report_(table_.list());
        }
    }
}

} // namespace holdfast::kernel
