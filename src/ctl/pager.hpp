// The user's pager, as systemd's tools start it (systemctl(1), ENVIRONMENT): $SYSTEMD_PAGER or $PAGER, else less(1), which ends by
// itself when all fits on the screen.
#pragma once

#include "base/fd.hpp"

#include <memory>
#include <sys/types.h>

namespace holdfast::ctl {

/// While it lives, stdout goes through it.
class Pager {
  public:
    /// Null: stdout is no terminal, nobody wants a pager, or there is no memory for one.
    static std::unique_ptr<Pager> start();
    /// Waits until its reader has seen enough.
    ~Pager();
    Pager(const Pager&) = delete;
    Pager& operator=(const Pager&) = delete;

  private:
    Pager(pid_t pid, Fd terminal) : pid_{pid}, terminal_{std::move(terminal)} {}

    pid_t pid_;
    Fd terminal_; ///< stdout as it was
};

} // namespace holdfast::ctl
