// holdfast-prober: makes network probes for holdfastd. It is where bytes of other hosts' applications are parsed, so it
// has no privileges at all.
#include "ipc/service.hpp"
#include "prober/prober.hpp"

#include <cstdlib>

namespace {

constexpr holdfast::ipc::Service service{
    .name = "holdfast-prober",
    .help =
        "holdfast-prober makes the network probes of holdfastd. It is not for people: holdfastd, or systemd through\n"
        "holdfast-prober.socket, starts it with a SOCK_SEQPACKET socket as descriptor 3, and it ends with that "
        "socket.\n"
        "Started as root it becomes user 65534; it keeps no capability. Options: --help, --version.",
    .become_nobody = true,
    .keep_capabilities = 0,
};

} // namespace

int main(int argc, char** argv) {
    auto channel = holdfast::ipc::begin_service(service, {argv, static_cast<std::size_t>(argc)});
    if (!channel) return channel.error();
    curl_global_init(CURL_GLOBAL_SSL);
    holdfast::prober::Prober{std::move(*channel)}.run();
    return EXIT_SUCCESS;
}
