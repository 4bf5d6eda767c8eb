#include "upstream/file.hpp"

#include "base/fd.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::upstream {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t longest = std::size_t{16} << 20;

std::unexpected<std::string> failed(const char* what, const fs::path& path) {
    return std::unexpected{fmt::format("{} can't be {}: {}", path.string(), what, std::strerror(errno))};
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto put = ::write(fd, text.data(), text.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        text.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
}

} // namespace

std::optional<std::string> read_file(const fs::path& path) {
    const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    struct stat info{};
    if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
    if (info.st_size < 0 || static_cast<std::size_t>(info.st_size) > longest) return std::nullopt;
    std::string text(static_cast<std::size_t>(info.st_size), '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const auto got = ::read(fd.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::nullopt;
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    text.resize(size);
    return text;
}

std::expected<void, std::string> replace_file(const fs::path& path, std::string_view text, Readers readers) {
    std::error_code error;
    if (fs::create_directories(path.parent_path(), error))
        ::chmod(path.parent_path().c_str(), 0755); // nginx's master is root, in a pod perhaps not
    const Fd directory{::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory) return failed("opened", path.parent_path());
    const auto fresh = path.parent_path() / ("." + path.filename().string() + ".new");
    const mode_t mode = readers == Readers::all ? 0644 : 0600;
    const Fd fd{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)};
    if (!fd) return failed("written", fresh);
    if (::fchmod(fd.get(), mode) != 0 || !write_all(fd.get(), text) || ::fsync(fd.get()) != 0) {
        const auto why = failed("written", fresh);
        ::unlink(fresh.c_str());
        return why;
    }
    if (::rename(fresh.c_str(), path.c_str()) != 0) return failed("replaced", path);
    ::fsync(directory.get());
    return {};
}

} // namespace holdfast::upstream
