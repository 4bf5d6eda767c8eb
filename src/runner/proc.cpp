#include "runner/proc.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::runner {

namespace {

template <typename Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// Takes the next field off `rest`, fields being separated by single spaces.
std::string_view next_field(std::string_view& rest) {
    const auto space = rest.find(' ');
    const auto field = rest.substr(0, space);
    rest = space == std::string_view::npos ? std::string_view{} : rest.substr(space + 1);
    return field;
}

} // namespace

std::optional<Stat> parse_stat(std::string_view text) {
    const auto close = text.rfind(')');
    if (close == std::string_view::npos || text.size() < close + 2) return std::nullopt;
    std::string_view rest = text.substr(close + 2);
    if (!rest.empty() && rest.back() == '\n') rest.remove_suffix(1);
    const auto state = next_field(rest);                 // field 3
    const auto parent = number<pid_t>(next_field(rest)); // field 4
    for (int skipped = 5; skipped < 22; ++skipped)
        next_field(rest);
    const auto start = number<std::uint64_t>(next_field(rest)); // field 22
    if (state.size() != 1 || !parent || !start) return std::nullopt;
    return Stat{state[0], *parent, *start};
}

bool fits(std::span<const std::string> words, std::span<const std::string> wanted, model::Match match) {
    if (wanted.empty()) return true;
    if (words.size() < wanted.size() || (match == model::Match::exact && words.size() > wanted.size())) return false;
    const auto last = wanted.size() - 1;
    for (std::size_t i = 0; i < last; ++i)
        if (words[i] != wanted[i]) return false;
    return match == model::Match::partial ? words[last].starts_with(wanted[last]) : words[last] == wanted[last];
}

Result<Proc> Proc::open() {
    Fd root{::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!root) return unexpected{fmt::format("cannot open /proc: {}", std::strerror(errno))};
    Proc proc{std::move(root)};
    proc.our_link_ = proc.net_link("self");
    if (proc.our_link_.empty())
        return unexpected{fmt::format("cannot read /proc/self/ns/net: {}; is /proc mounted for this PID namespace?",
                                      std::strerror(errno))};
    proc.our_inode_ = proc.net_inode("self");
    // The parent, holdfastd or systemd, is in our namespace unless the link says otherwise.
    const std::string parent = std::to_string(::getppid());
    const std::string parent_link = proc.net_link(parent);
    const bool same_link = parent_link.empty() || parent_link == proc.our_link_;
    if (same_link != (proc.net_inode(parent) == proc.our_inode_)) proc.our_inode_.reset();
    return proc;
}

std::vector<pid_t> Proc::pids() const {
    std::vector<pid_t> out;
    const int copy = ::openat(root_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); // a read position of its own
    if (copy < 0) return out;
    const auto close = [](DIR* each) { ::closedir(each); };
    const std::unique_ptr<DIR, decltype(close)> directory{::fdopendir(copy), close};
    if (!directory) {
        ::close(copy);
        return out;
    }
    while (const dirent* entry = ::readdir(directory.get()))
        if (const auto pid = number<pid_t>(entry->d_name)) out.push_back(*pid);
    return out;
}

std::optional<std::string> Proc::read(pid_t pid, std::string_view file, std::size_t most) const {
    std::array<char, 64> path{};
    fmt::format_to_n(path.data(), path.size() - 1, "{}/{}", pid, file);
    const Fd opened{::openat(root_.get(), path.data(), O_RDONLY | O_CLOEXEC)};
    if (!opened) return std::nullopt;
    std::string text(most, '\0');
    const ssize_t size = ::read(opened.get(), text.data(), text.size());
    if (size <= 0) return std::nullopt;
    text.resize(static_cast<std::size_t>(size));
    return text;
}

std::optional<std::string> Proc::name(pid_t pid) const {
    auto text = read(pid, "comm", 64);
    if (text && !text->empty() && text->back() == '\n') text->pop_back();
    return text;
}

model::Words Proc::command_line(pid_t pid) const {
    constexpr std::size_t most = 65536;
    model::Words words;
    const auto text = read(pid, "cmdline", most);
    for (std::size_t at = 0; text && at < text->size();) {
        const auto end = std::min(text->find('\0', at), text->size());
        words.push_back(text->substr(at, end - at));
        at = end + 1;
    }
    return words;
}

std::optional<Stat> Proc::stat(pid_t pid) const {
    const auto text = read(pid, "stat", 1024);
    return text ? parse_stat(*text) : std::nullopt;
}

std::string Proc::net_link(std::string_view pid) const {
    std::array<char, 64> target{};
    const std::string path = fmt::format("{}/ns/net", pid);
    const ssize_t size = ::readlinkat(root_.get(), path.c_str(), target.data(), target.size());
    return size > 0 ? std::string{target.data(), static_cast<std::size_t>(size)} : std::string{};
}

std::optional<std::uint64_t> Proc::net_inode(std::string_view pid) const {
    struct stat info{};
    const std::string path = fmt::format("{}/net/dev", pid);
    if (::fstatat(root_.get(), path.c_str(), &info, 0) != 0) return std::nullopt;
    return info.st_ino;
}

bool Proc::in_our_network(pid_t pid) const {
    const std::string text = std::to_string(pid);
    if (const std::string link = net_link(text); !link.empty()) return link == our_link_;
    const auto inode = net_inode(text);
    return !our_inode_ || !inode || *inode == *our_inode_;
}

} // namespace holdfast::runner
