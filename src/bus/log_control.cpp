#include "bus/log_control.hpp"

#include "bus/names.hpp"
#include "bus/sdbus_compat.hpp"
#include "logcontrol1_adaptor.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::bus {
namespace {

/// syslog(3), in the words of org.freedesktop.LogControl1(5); the place is the number.
constexpr std::array<std::string_view, 8> level_names{"emerg",   "alert",  "crit", "err",
                                                      "warning", "notice", "info", "debug"};

class LogControl final : public sdbus::AdaptorInterfaces<org::freedesktop::LogControl1_adaptor>,
                         public LogControlObject {
  public:
    LogControl(sdbus::IConnection& connection, Journal& journal)
        : AdaptorInterfaces{connection, compat::path("/org/freedesktop/LogControl1")}, journal_{journal} {
        registerAdaptor();
    }
    ~LogControl() override { unregisterAdaptor(); }

  private:
    std::string LogLevel() override { return std::string{level_names.at(journal_.level())}; }
    void LogLevel(const std::string& name) override {
        const auto* const at = std::ranges::find(level_names, name);
        if (at == level_names.end())
            throw compat::error(error_invalid_args,
                                fmt::format("there is no level '{}': take one of emerg, alert, crit, err, warning, "
                                            "notice, info, debug",
                                            name));
        journal_.set_level(static_cast<unsigned>(at - level_names.begin()));
    }
    std::string LogTarget() override { return std::string{name_of(journal_.target())}; }
    void LogTarget(const std::string& name) override {
        using enum Journal::Target;
        if (name != name_of(journal) && name != name_of(console))
            throw compat::error(error_invalid_args,
                                fmt::format("holdfastd does not log to '{}': take journal or console", name));
        if (!journal_.set_target(name == name_of(journal) ? journal : console))
            throw compat::error(error_failed, *journal_.missing());
    }
    std::string SyslogIdentifier() override { return Journal::identifier; }

    static std::string_view name_of(Journal::Target target) {
        return target == Journal::Target::journal ? "journal" : "console";
    }

    Journal& journal_;
};

} // namespace

std::unique_ptr<LogControlObject> make_log_control(sdbus::IConnection& connection, Journal& journal) {
    return std::make_unique<LogControl>(connection, journal);
}

} // namespace holdfast::bus
