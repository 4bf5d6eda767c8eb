#include "bus/names.hpp"

#include <cstdlib>
#include <memory>
#include <systemd/sd-bus.h>

namespace holdfast::bus {
namespace {

std::string encode(const std::string& prefix, std::string_view component) {
    char* path = nullptr;
    if (sd_bus_path_encode(prefix.c_str(), std::string{component}.c_str(), &path) < 0) return prefix + "/_";
    const std::unique_ptr<char, decltype(&std::free)> owned{path, std::free};
    return path;
}

} // namespace

std::string instance_path(std::string_view name) {
    std::string path{"/org/holdfast1/instance"};
    for (;;) {
        const auto slash = name.find('/');
        path = encode(path, name.substr(0, slash));
        if (slash == std::string_view::npos) return path;
        name.remove_prefix(slash + 1);
    }
}

std::string tracker_path(std::string_view name) {
    return encode("/org/holdfast1/tracker", name);
}

std::string group_path(std::string_view name) {
    return encode("/org/holdfast1/sync_group", name);
}

std::string virtual_server_path(std::string_view name) {
    return encode("/org/holdfast1/virtual_server", name);
}

std::string real_server_path(std::string_view server, std::string_view name) {
    return encode(virtual_server_path(server) + "/real_server", name);
}

std::string error_name(engine::CommandError error) {
    switch (error) {
    case engine::CommandError::no_such_server: return error_no_such_server;
    case engine::CommandError::no_such_instance: return error_no_such_instance;
    case engine::CommandError::not_master: return "org.holdfast1.Error.NotMaster";
    case engine::CommandError::no_successor: return "org.holdfast1.Error.NoSuccessor";
    case engine::CommandError::busy: return error_busy;
    case engine::CommandError::stopping: return "org.holdfast1.Error.Stopping";
    case engine::CommandError::faulted: return "org.holdfast1.Error.Faulted";
    case engine::CommandError::no_peer: return "org.holdfast1.Error.NoPeer";
    case engine::CommandError::outranked: return "org.holdfast1.Error.Outranked";
    case engine::CommandError::unsupported: return "org.holdfast1.Error.Unsupported";
    }
    return error_failed;
}

std::string error_name(model::ChangeRefusal refusal) {
    switch (refusal) {
    case model::ChangeRefusal::no_such_server: return error_no_such_server;
    case model::ChangeRefusal::exists: return "org.holdfast1.Error.ServerExists";
    case model::ChangeRefusal::in_file: return "org.holdfast1.Error.ServerInFile";
    case model::ChangeRefusal::invalid: return error_invalid_config;
    case model::ChangeRefusal::limit: return error_limits_exceeded;
    case model::ChangeRefusal::failed: break;
    }
    return error_failed;
}

} // namespace holdfast::bus
