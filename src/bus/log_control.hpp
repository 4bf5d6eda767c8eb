// org.freedesktop.LogControl1: the level and the target of what is logged, while the daemon runs.
#pragma once

#include "bus/journal.hpp"

#include <memory>

namespace sdbus {
class IConnection;
}

namespace holdfast::bus {

class LogControlObject {
  public:
    virtual ~LogControlObject() = default;
};

/// It is there as long as it lives, and shows and sets what `journal` does.
std::unique_ptr<LogControlObject> make_log_control(sdbus::IConnection&, Journal& journal);

} // namespace holdfast::bus
