#include "model/instance.hpp"

namespace holdfast::model {

std::string object_name(const std::string& instance_name) {
    return instance_name.substr(0, instance_name.find('/'));
}

std::string Instance::address_interface() const {
    if (!virtual_mac) return interface;
    return virtual_mac->interface.empty() ? default_macvlan(family, vrid) : virtual_mac->interface;
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
