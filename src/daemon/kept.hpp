// What the process before us left with the service manager (sd_notify(3), "FDSTORE"): descriptors by name, as LISTEN_FDNAMES
// has them. What nobody takes is closed with this object.
#pragma once

#include "base/fd.hpp"

#include <string>
#include <vector>

namespace holdfast::daemon {

/// The name of the state record.
inline constexpr const char* kept_record = "state";

class KeptDescriptors {
  public:
    /// Takes them out of the environment, so that no child believes that they are its own. Before any thread starts.
    static KeptDescriptors take_over();

    /// Empty when there is none of that name.
    Fd take(const std::string& name);
    /// The names of those that nobody has taken.
    std::vector<std::string> names() const;
    bool empty() const { return kept_.empty(); }

  private:
    struct Kept {
        std::string name;
        Fd fd;
    };
    std::vector<Kept> kept_;
};

/// $HOLDFAST_NOTIFY_SOCKET in place of $NOTIFY_SOCKET: podman's forwarder, which the latter names in a container, drops
/// descriptors. Before any thread starts.
void prefer_own_notify_socket();

} // namespace holdfast::daemon
