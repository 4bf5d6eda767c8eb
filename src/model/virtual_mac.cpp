#include "model/virtual_mac.hpp"

namespace holdfast::model {

MacAddress vrrp_mac(Family family, Vrid vrid) {
    return {{0x00, 0x00, 0x5e, 0x00, static_cast<std::uint8_t>(family == Family::ipv4 ? 1 : 2), vrid.value}};
}

std::string default_own_link(Family family, Vrid vrid) {
    return (family == Family::ipv4 ? "vrrp." : "vrrp6.") + std::to_string(vrid.value);
}

} // namespace holdfast::model
