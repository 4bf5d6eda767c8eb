#include "kernel/sysctl.hpp"

#include "base/fd.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <net/if.h>
#include <string>
#include <unistd.h>

namespace holdfast::kernel {

namespace {

constexpr auto expire_nodest_path = "/proc/sys/net/ipv4/vs/expire_nodest_conn";
constexpr auto reuse_mode_path = "/proc/sys/net/ipv4/vs/conn_reuse_mode";

std::optional<std::uint32_t> read_number(const char* path) {
    std::uint32_t value = 0;
    if (std::ifstream file{path}; file >> value) return value;
    return std::nullopt;
}

int write_number(const char* path, std::optional<std::uint32_t> value) {
    if (!value) return 0;
    const Fd file{::open(path, O_WRONLY | O_CLOEXEC)};
    if (!file) return errno;
    const auto text = std::to_string(*value);
    return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

} // namespace

engine::IpvsReuse read_ipvs_reuse() {
    return {read_number(expire_nodest_path), read_number(reuse_mode_path)};
}

int set_ipvs_reuse(const engine::IpvsReuse& reuse) {
    const int error = write_number(expire_nodest_path, reuse.expire_nodest);
    return error != 0 ? error : write_number(reuse_mode_path, reuse.mode);
}

void refuse_router_advertisements(LinkIndex link) {
    std::array<char, IF_NAMESIZE> name{};
    if (!::if_indextoname(link.value, name.data())) return;
    const auto path = std::string{"/proc/sys/net/ipv6/conf/"} + name.data() + "/accept_ra";
    const Fd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    if (file) static_cast<void>(::write(file.get(), "0", 1) == 1);
}

} // namespace holdfast::kernel
