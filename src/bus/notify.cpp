#include "bus/notify.hpp"

#include <ctime>
#include <fmt/format.h>
#include <systemd/sd-daemon.h>

namespace holdfast::bus {
namespace {

void send(const std::string& text) {
    sd_notify(0, text.c_str());
}

} // namespace

void Notify::ready() {
    if (!stopping_) send("READY=1");
}

/// Both in one message: systemd tells this reload from an older one by the time in it.
void Notify::reloading() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000));
}

void Notify::stopping() {
    if (!stopping_) send("STOPPING=1");
    stopping_ = true;
}

void Notify::heartbeat() {
    send("WATCHDOG=1");
}

void Notify::status(std::string line) {
    if (line == status_) return;
    status_ = std::move(line);
    send("STATUS=" + status_);
}

void Notify::keep(const std::string& name, const Fd& fd) {
    const int number = fd.get();
    sd_pid_notify_with_fds(0, 0, fmt::format("FDSTORE=1\nFDNAME={}\nFDPOLL=0", name).c_str(), &number, 1);
}

void Notify::forget(const std::string& name) {
    send("FDSTOREREMOVE=1\nFDNAME=" + name);
}

Duration Notify::heartbeat_interval() {
    std::uint64_t usec = 0;
    if (sd_watchdog_enabled(0, &usec) <= 0) return Duration::zero();
    return std::chrono::microseconds{usec / 2};
}

} // namespace holdfast::bus
