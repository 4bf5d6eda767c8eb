// One source for sdbus-c++ 1.x (Debian 12) and 2.x (Debian 13): everything that differs between them, and nothing else.
// meson defines HOLDFAST_SDBUS_V1 from the version that it found.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <sdbus-c++/sdbus-c++.h>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::bus::compat {

/// What a poll needs to know of a connection; `timeout` is absolute, CLOCK_MONOTONIC, UINT64_MAX for none.
struct PollData {
    int fd{-1};
    std::uint32_t events{};
    std::uint64_t timeout_usec{UINT64_MAX};
};

#if defined(HOLDFAST_SDBUS_V1)

inline std::string path(std::string text) {
    return text;
}
inline std::string service(std::string text) {
    return text;
}
inline sdbus::Error error(const std::string& name, const std::string& text) {
    return {name, text};
}
inline PollData poll_data(const sdbus::IConnection& connection) {
    const auto data = connection.getEventLoopPollData();
    return {data.fd, static_cast<std::uint32_t>(data.events), data.timeout_usec};
}
/// False when nothing more waits.
inline bool process(sdbus::IConnection& connection) {
    return connection.processPendingRequest();
}
inline void emit_changed(sdbus::IObject& object, const char* interface, const std::vector<std::string>& names) {
    object.emitPropertiesChangedSignal(interface, names);
}
inline void emit_removed(sdbus::IObject& object, const char* interface) {
    object.emitInterfacesRemovedSignal({std::string{interface}});
}
/// First argument of the callback of an asynchronous call.
using ReplyError = const sdbus::Error*;

#else

inline sdbus::ObjectPath path(std::string text) {
    return sdbus::ObjectPath{std::move(text)};
}
inline sdbus::ServiceName service(std::string text) {
    return sdbus::ServiceName{std::move(text)};
}
inline sdbus::Error error(const std::string& name, const std::string& text) {
    return {sdbus::Error::Name{name}, text};
}
inline PollData poll_data(const sdbus::IConnection& connection) {
    const auto data = connection.getEventLoopPollData();
    const auto timeout = data.timeout == std::chrono::microseconds::max()
                             ? UINT64_MAX
                             : static_cast<std::uint64_t>(data.timeout.count());
    return {data.fd, static_cast<std::uint32_t>(data.events), timeout};
}
inline bool process(sdbus::IConnection& connection) {
    return connection.processPendingEvent();
}
inline void emit_changed(sdbus::IObject& object, const char* interface, const std::vector<std::string>& names) {
    std::vector<sdbus::PropertyName> typed;
    for (const auto& name : names)
        typed.emplace_back(name);
    object.emitPropertiesChangedSignal(sdbus::InterfaceName{interface}, typed);
}
inline void emit_removed(sdbus::IObject& object, const char* interface) {
    object.emitInterfacesRemovedSignal({sdbus::InterfaceName{interface}});
}
using ReplyError = std::optional<sdbus::Error>;

#endif

} // namespace holdfast::bus::compat
