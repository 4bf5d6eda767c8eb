// holdfast-prober: makes network probes for holdfastd. It is where bytes of other hosts' applications are parsed, so it
// has no privileges at all, unless somebody wants probes to have marks or ports below 1024.
#include "ipc/service.hpp"
#include "prober/prober.hpp"

#include <cstdlib>
#include <linux/capability.h>

namespace {

constexpr holdfast::ipc::Service service{
    .name = "holdfast-prober",
    .help =
        "holdfast-prober makes the network probes of holdfastd. It is not for people: holdfastd, or systemd through\n"
        "holdfast-prober.socket, starts it with a SOCK_SEQPACKET socket as descriptor 3, and it ends with that "
        "socket.\n"
        "Started as root it becomes user 65534. It keeps no capability; with --keep-rights CAP_NET_RAW and\n"
        "CAP_NET_BIND_SERVICE, if it has them, for checks with `mark` and with a `source_port` below 1024.\n"
        "Options: --help, --keep-rights, --version.",
    .become_nobody = true,
    // SO_MARK takes CAP_NET_RAW since Linux 5.17 (socket(7)): less than CAP_NET_ADMIN, which older ones want.
    .keep_on_request = 1U << CAP_NET_RAW | 1U << CAP_NET_BIND_SERVICE,
};

} // namespace

int main(int argc, char** argv) {
    auto channel = holdfast::ipc::begin_service(service, {argv, static_cast<std::size_t>(argc)});
    if (!channel) return channel.error();
    curl_global_init(CURL_GLOBAL_SSL);
    holdfast::prober::Prober{std::move(*channel)}.run();
    return EXIT_SUCCESS;
}
