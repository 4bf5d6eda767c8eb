// holdfast-runner: runs scripts, reads files, writes FIFOs and finds processes for holdfastd, off its loop.
#include "ipc/service.hpp"
#include "runner/runner.hpp"

#include <cstdlib>
#include <linux/capability.h>
#include <sysexits.h>

namespace {

constexpr holdfast::ipc::Service service{
    .name = "holdfast-runner",
    .help =
        "holdfast-runner runs holdfastd's scripts and finds the processes that it watches. It is not for people: "
        "holdfastd, or systemd "
        "through\n"
        "holdfast-runner.socket, starts it with a SOCK_SEQPACKET socket as descriptor 3, and it ends with that "
        "socket.\n"
        "Of capabilities it keeps what it has of CAP_SYS_PTRACE, to see other users' namespaces, and of CAP_SETUID,\n"
        "CAP_SETGID and CAP_KILL, to run scripts as other users; the scripts get none. Options: --help, --version.",
    .become_nobody = false,
    .keep_capabilities = std::uint64_t{1} << CAP_SYS_PTRACE | std::uint64_t{1} << CAP_SETUID |
                         std::uint64_t{1} << CAP_SETGID | std::uint64_t{1} << CAP_KILL,
};

} // namespace

int main(int argc, char** argv) {
    using namespace holdfast;
    auto channel = ipc::begin_service(service, {argv, static_cast<std::size_t>(argc)});
    if (!channel) return channel.error();
    auto proc = runner::Proc::open();
    if (!proc) {
        ipc::warn(service.name, proc.error());
        return EX_OSFILE;
    }
    runner::Runner{std::move(*channel), std::move(*proc)}.run();
    return EXIT_SUCCESS;
}
