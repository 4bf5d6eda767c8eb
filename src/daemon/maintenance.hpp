// Whether this host is in maintenance: a file in the state directory, which a person, a deploy script or holdfastctl may make,
// and which outlives restarts. Watched on a thread of its own, because a disk may hang. The file is the only truth: an order
// changes it, and what it says then is reported.
#pragma once

#include "base/fd.hpp"
#include "base/mailbox.hpp"
#include "engine/event.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>

namespace holdfast::daemon {

inline constexpr auto maintenance_file = "maintenance"; ///< in the state directory
/// The reason, perhaps empty; nothing: there is no such file. Blocking; for the start and for the thread.
std::optional<std::string> read_maintenance(const std::filesystem::path& file);

class Maintenance {
  public:
    struct Order {
        std::uint64_t command{};
        std::optional<std::string> reason; ///< nothing: it is over
    };
    struct Door {
        std::function<void(engine::MaintenanceSet)> report;                       ///< on the thread of the file
        std::function<void(std::uint64_t command, std::string problem)> answered; ///< likewise; empty: it is done
    };
    Maintenance(std::filesystem::path directory, Door);
    ~Maintenance();
    Maintenance(const Maintenance&) = delete;
    Maintenance& operator=(const Maintenance&) = delete;

    void set(Order order) { orders_.push(std::move(order)); }

  private:
    void loop();
    void watch();
    void look();
    std::string carry_out(const Order&) const;

    std::filesystem::path directory_, file_;
    Door door_;
    Mailbox<std::optional<Order>> orders_; ///< nothing: the end
    Fd news_;
    std::optional<std::string> told_;
    std::thread thread_;
};

} // namespace holdfast::daemon
