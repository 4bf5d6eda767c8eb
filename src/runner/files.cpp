#include "runner/files.hpp"

#include "ipc/service.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::runner {

namespace {

constexpr std::size_t longest_number = 64;

FileSays illegible(const std::string& path, std::string_view why) {
    return {.there = true, .legible = false, .detail = ipc::printable(fmt::format("{} {}", path, why))};
}

FileSays parse(const std::string& path, std::string_view text) {
    constexpr std::string_view space = " \t\r\n";
    const auto begin = text.find_first_not_of(space);
    if (begin == std::string_view::npos)
        return {.there = true, .empty = true, .detail = ipc::printable(path + " is empty: 0")};
    text = text.substr(begin, text.find_last_not_of(space) - begin + 1);
    const auto shown = text;
    if (text.starts_with('+')) text.remove_prefix(1);
    std::int32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || shown.starts_with("+-"))
        return illegible(path, fmt::format("holds no number: '{}'", shown));
    return {.there = true, .value = value, .detail = ipc::printable(fmt::format("{} in {}", value, path))};
}

} // namespace

FileSays read_number(const std::string& path) {
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)}; // a FIFO must not hold us up
    if (!file && (errno == ENOENT || errno == ENOTDIR)) return {.detail = ipc::printable(path + " does not exist")};
    if (!file) return illegible(path, fmt::format("can't be read: {}", std::strerror(errno)));
    struct stat info{};
    if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return illegible(path, "is no regular file");
    std::array<char, longest_number + 1> buffer{};
    const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
    if (size < 0) return illegible(path, fmt::format("can't be read: {}", std::strerror(errno)));
    if (static_cast<std::size_t>(size) > longest_number)
        return illegible(path, fmt::format("is longer than {} bytes", longest_number));
    return parse(path, {buffer.data(), static_cast<std::size_t>(size)});
}

Files::Files(ipc::Epoll& epoll, Tell tell)
    : epoll_{epoll}, tell_{std::move(tell)}, inotify_{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)} {
    if (inotify_) epoll_.set(inotify_.get(), EPOLLIN); // without it: one look a second
}

void Files::watch(const ipc::WatchFile& what, Time now) {
    stop(what.id);
    if (files_.size() >= max_files)
        return ipc::warn("holdfast-runner", fmt::format("refused to watch a file: {} are watched already", max_files));
    const auto slash = what.path.rfind('/');
    auto& file = files_[what.id];
    file = {.path = what.path,
            .directory = slash == 0 || slash == std::string::npos ? "/" : what.path.substr(0, slash),
            .name = what.path.substr(slash + 1),
            .told = {},
            .due = now};
    look(what.id, file, now);
}

void Files::stop(ipc::WatchId id) {
    const auto at = files_.find(id);
    if (at == files_.end()) return;
    const int notice = at->second.notice;
    files_.erase(at);
    const auto same = [notice](const auto& each) { return each.second.notice == notice; };
    if (notice >= 0 && std::ranges::none_of(files_, same)) ::inotify_rm_watch(inotify_.get(), notice);
}

/// Not IN_MODIFY: a file is read when its writer has closed it.
void Files::listen(File& file) {
    if (!inotify_ || file.notice >= 0) return;
    file.notice =
        ::inotify_add_watch(inotify_.get(), file.directory.c_str(),
                            IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_ONLYDIR);
}

void Files::look(ipc::WatchId id, File& file, Time now) {
    listen(file); // before reading: what changes in between is heard
    file.due = now + look_again;
    auto says = read_number(file.path);
    const bool doubtful = says.empty && file.told && !file.told->empty && !file.doubted;
    file.doubted = doubtful;
    if (doubtful || file.told == says) return;
    file.told = says;
    tell_(ipc::FileFound{id, says.there, says.legible, says.value, says.detail});
}

bool Files::on_ready(int fd, Time now) {
    if (fd != inotify_.get()) return false;
    alignas(inotify_event) std::array<char, 8192> buffer{};
    const ssize_t size = ::read(fd, buffer.data(), buffer.size());
    for (ssize_t at = 0; at < size;) {
        inotify_event event{};
        std::memcpy(&event, buffer.data() + at, sizeof event);
        const std::string name = event.len > 0 ? buffer.data() + at + sizeof event : "";
        at += static_cast<ssize_t>(sizeof event + event.len);
        for (auto& [id, file] : files_) {
            if ((event.mask & IN_Q_OVERFLOW) == 0 && file.notice != event.wd) continue;
            if ((event.mask & IN_IGNORED) != 0) file.notice = -1; // the directory went
            if (name.empty() || name == file.name) look(id, file, now);
        }
    }
    return true;
}

Time Files::next_deadline() const {
    Time next = never;
    for (const auto& [id, file] : files_)
        next = std::min(next, file.due);
    return next;
}

void Files::on_deadline(Time now) {
    for (auto& [id, file] : files_)
        if (file.due <= now) look(id, file, now);
}

} // namespace holdfast::runner
