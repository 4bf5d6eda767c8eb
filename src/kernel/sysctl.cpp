#include "kernel/sysctl.hpp"

#include "base/fd.hpp"

#include <array>
#include <fcntl.h>
#include <net/if.h>
#include <string>
#include <unistd.h>

namespace holdfast::kernel {

void refuse_router_advertisements(LinkIndex link) {
    std::array<char, IF_NAMESIZE> name{};
    if (!::if_indextoname(link.value, name.data())) return;
    const auto path = std::string{"/proc/sys/net/ipv6/conf/"} + name.data() + "/accept_ra";
    const Fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    if (file) static_cast<void>(::write(file.get(), "0", 1) == 1);
}

} // namespace holdfast::kernel
