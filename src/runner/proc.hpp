// Reading /proc (proc(5)) for processes. Invariant: a process that vanishes while it is read is simply not there;
// nothing here fails because of it.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "model/tracker.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace holdfast::runner {

/// Of /proc/PID/stat.
struct Stat {
    char state{'?'};
    pid_t parent{0};
    std::uint64_t start{0}; ///< clock ticks after boot
    bool operator==(const Stat&) const = default;
};

/// The second field is the name, in parentheses and free to contain spaces and parentheses itself: all is read from the
/// last ')' on.
std::optional<Stat> parse_stat(std::string_view text);

/// Are these the wanted words (model::Match)?
bool fits(std::span<const std::string> words, std::span<const std::string> wanted, model::Match match);

class Proc {
  public:
    /// Error: /proc is not mounted, or our own namespace can't be told.
    static Result<Proc> open();

    std::vector<pid_t> pids() const;
    /// /proc/PID/comm without its newline; at most 63 bytes, usually 15.
    std::optional<std::string> name(pid_t pid) const;
    std::optional<Stat> stat(pid_t pid) const;
    /// /proc/PID/cmdline, word by word; at most 64 KiB of it. Empty for what has none (a kernel thread).
    model::Words command_line(pid_t pid) const;

    /// False only when the process is known to be in another network namespace. The ns/net link (namespaces(7)) says
    /// it, but shows itself only to a user who may trace the process. Then the inode number of /proc/PID/net/dev says
    /// it, which the kernel numbers once per namespace and shows to everybody; that is no documented promise, so it is
    /// trusted only if it agrees with the link for our parent and ourselves. If neither says anything the process
    /// counts as ours.
    bool in_our_network(pid_t pid) const;

  private:
    explicit Proc(Fd root) : root_{std::move(root)} {}
    std::optional<std::string> read(pid_t pid, std::string_view file, std::size_t most) const;
    std::string net_link(std::string_view pid) const;
    std::optional<std::uint64_t> net_inode(std::string_view pid) const;

    Fd root_;
    std::string our_link_;                   ///< "net:[4026531840]"
    std::optional<std::uint64_t> our_inode_; ///< nothing when it can't be trusted
};

} // namespace holdfast::runner
