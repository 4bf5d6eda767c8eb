#include "daemon/text_file.hpp"

#include "base/fd.hpp"
#include "config/yaml.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::daemon {

std::expected<std::string, std::string> read_text(const std::filesystem::path& path) {
    const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    struct stat info{};
    if (!fd || ::fstat(fd.get(), &info) != 0)
        return std::unexpected{fmt::format("can't be read: {}", std::strerror(errno))};
    if (!S_ISREG(info.st_mode)) return std::unexpected{"it is not a regular file"};
    std::string text(config::largest_file + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const auto got = ::read(fd.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::unexpected{fmt::format("can't be read: {}", std::strerror(errno))};
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    text.resize(size);
    return text;
}

} // namespace holdfast::daemon
