// For ExecStopPost=: a stop that was cut short (killed, or out of time) has left its mark, and what it did not come to take away
// is taken away. A process that died otherwise left no mark: what it held is the next one's to adopt (PROTOCOL.md, "Adoption").
#pragma once

#include "daemon/options.hpp"

#include <filesystem>

namespace holdfast::daemon {

/// "A stop has begun", as a file; gone when it has ended. Failing to make it costs no more than the lease's time.
class StopMark {
  public:
    explicit StopMark(const std::filesystem::path& runtime_directory) : path_{runtime_directory / "stopping"} {}
    void set() const;
    void remove() const;
    bool is_set() const;

  private:
    std::filesystem::path path_;
};

/// The status for exit(3): 0 also when there was nothing to do.
int clear_up(const Options&);

} // namespace holdfast::daemon
