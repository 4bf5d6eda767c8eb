#include "model/instance.hpp"

namespace holdfast::model {

std::string object_name(const std::string& instance_name) {
    return instance_name.substr(0, instance_name.find('/'));
}

} // namespace holdfast::model
