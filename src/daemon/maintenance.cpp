#include "daemon/maintenance.hpp"

#include "upstream/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace holdfast::daemon {
namespace {

constexpr std::size_t longest_reason = 200;
constexpr int look_every_ms =
    1000; ///< also where inotify(7) tells nothing: a network's file system, a directory that was replaced

std::string printable(std::string text) {
    text = text.substr(0, text.find('\n'));
    std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return text;
}

} // namespace

std::optional<std::string> read_maintenance(const std::filesystem::path& file) {
    const Fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    // A file that we may not read is there all the same: whoever made it wants the host out of service.
    if (!fd) return errno == EACCES ? std::optional<std::string>{""} : std::nullopt;
    std::array<char, longest_reason> text{};
    const auto got = ::read(fd.get(), text.data(), text.size());
    return printable({text.data(), got > 0 ? static_cast<std::size_t>(got) : 0});
}

Maintenance::Maintenance(std::filesystem::path directory, Door door)
    : directory_{std::move(directory)}, file_{directory_ / maintenance_file}, door_{std::move(door)},
      told_{read_maintenance(file_)} {
    thread_ = std::thread{[this] { loop(); }};
    pthread_setname_np(thread_.native_handle(), maintenance_file);
}

Maintenance::~Maintenance() {
    orders_.push(std::nullopt);
    thread_.join();
}

void Maintenance::watch() {
    std::error_code ignored;
    std::filesystem::create_directories(directory_, ignored);
    news_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (news_)
        ::inotify_add_watch(news_.get(), directory_.c_str(),
                            IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE);
}

void Maintenance::loop() {
    watch();
    for (;;) {
        look();
        std::array<pollfd, 2> wait{pollfd{orders_.fd(), POLLIN, 0}, pollfd{news_.get(), POLLIN, 0}};
        ::poll(wait.data(), wait.size(), look_every_ms);
        std::array<char, 4096> news{};
        while (news_ && ::read(news_.get(), news.data(), news.size()) > 0) {
        } // that there are any is all that counts
        for (const auto& order : orders_.take()) {
            if (!order) return;
            auto problem = carry_out(*order);
            look();
            door_.answered(order->command, std::move(problem));
        }
    }
}

void Maintenance::look() {
    auto now = read_maintenance(file_);
    if (now == told_) return;
    told_ = std::move(now);
    door_.report({told_});
}

std::string Maintenance::carry_out(const Order& order) const {
    if (!order.reason)
        return ::unlink(file_.c_str()) == 0 || errno == ENOENT
                   ? ""
                   : fmt::format("{} can't be removed: {}", file_.string(), std::strerror(errno));
    const auto written = upstream::replace_file(file_, printable(*order.reason) + '\n');
    return written ? "" : written.error();
}

} // namespace holdfast::daemon
