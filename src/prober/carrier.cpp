#include "prober/carrier.hpp"

#include "ipc/service.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace holdfast::prober {
namespace {

Outcome cannot_ask(int error) {
    return {.detail = fmt::format("the driver can't be asked: {}", std::strerror(error)), .our_fault = true};
}

} // namespace

Outcome ask_driver(const std::string& interface) {
    const Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)}; // any will do (netdevice(7))
    if (!socket) return cannot_ask(errno);
    ethtool_value value{.cmd = ETHTOOL_GLINK, .data = 0};
    ifreq request{};
    interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
    request.ifr_data = reinterpret_cast<char*>(&value);
    const auto began = ipc::clock_now();
    if (::ioctl(socket.get(), SIOCETHTOOL, &request) != 0) return cannot_ask(errno);
    return {.ok = value.data != 0,
            .detail = value.data != 0 ? "its driver sees a carrier" : "its driver sees no carrier",
            .latency = ipc::clock_now() - began};
}

void CarrierProbes::start(ipc::WatchId id, std::string interface) {
    if (!worker_)
        worker_.emplace("carrier",
                        [this](const Question& question) { answers_.push({question.id, ask_(question.interface)}); });
    asked_.insert(id);
    worker_->ask({id, std::move(interface)});
}

void CarrierProbes::on_readable() {
    for (const auto& answer : answers_.take())
        if (asked_.erase(answer.id) > 0) done_(answer.id, answer.outcome);
}

} // namespace holdfast::prober
