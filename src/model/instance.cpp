#include "model/instance.hpp"

namespace holdfast::model {

std::string object_name(const std::string& instance_name) {
    return instance_name.substr(0, instance_name.find('/'));
}

std::string Instance::address_interface() const {
    if (!has_own_link()) return interface;
    const auto& given = virtual_mac ? virtual_mac->interface : ipvlan->interface;
    return given.empty() ? default_own_link(family, vrid) : given;
}

std::optional<MacAddress> Instance::address_mac() const {
    if (!virtual_mac) return std::nullopt;
    return virtual_mac->address.value_or(vrrp_mac(family, vrid));
}

std::optional<MacAddress> Instance::advert_mac() const {
    if (!virtual_mac || virtual_mac->adverts_from == AdvertsFrom::parent || unicast) return std::nullopt;
    return address_mac();
}

} // namespace holdfast::model
