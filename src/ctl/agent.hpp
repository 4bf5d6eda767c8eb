// polkit's agent for terminals (pkttyagent(1), of the package polkitd): it asks whoever sits here for the password that a call
// needs, as systemctl(1) does.
#pragma once

#include <memory>
#include <sys/types.h>

namespace holdfast::ctl {

class PasswordAgent {
  public:
    /// Returns when polkit knows it, or another agent that was there first. Null: stdin is no terminal, or there is no pkttyagent.
    static std::unique_ptr<PasswordAgent> start();
    explicit PasswordAgent(pid_t pid) : pid_{pid} {}
    PasswordAgent(const PasswordAgent&) = delete;
    PasswordAgent& operator=(const PasswordAgent&) = delete;
    ~PasswordAgent();

  private:
    pid_t pid_;
};

} // namespace holdfast::ctl
