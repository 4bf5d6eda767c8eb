// holdfast-runner: finds processes for holdfastd, off its loop, and hands their pidfds over.
#include "ipc/service.hpp"
#include "runner/runner.hpp"

#include <cstdlib>
#include <linux/capability.h>
#include <sysexits.h>

namespace {

constexpr holdfast::ipc::Service service{
    .name = "holdfast-runner",
    .help = "holdfast-runner finds the processes that holdfastd watches. It is not for people: holdfastd, or systemd "
            "through\n"
            "holdfast-runner.socket, starts it with a SOCK_SEQPACKET socket as descriptor 3, and it ends with that "
            "socket.\n"
            "It keeps CAP_SYS_PTRACE if it has it, to see other users' namespaces. Options: --help, --version.",
    .become_nobody = false,
    .keep_capabilities = std::uint64_t{1} << CAP_SYS_PTRACE,
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
