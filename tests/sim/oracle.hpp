// What one router must do, computed a second time: the deadlines of RFC 9568 6.4 and PROTOCOL.md from the events alone. The
// engine's state is compared with it after every turn; nothing that is expected here was asked of the engine, but for its
// effective priority and its word whether preemption is on (both have rules of their own, N7 and `hold`).
#pragma once

#include "announcing.hpp"
#include "world.hpp"

#include <map>
#include <optional>
#include <string>

namespace holdfast::sim {

class Oracle {
  public:
    /// The first rule that the turn broke: its monitor's name and what was expected.
    struct Complaint {
        std::string monitor, text;
    };
    std::optional<Complaint> after_turn(const Turn& turn);

  private:
    struct Listening { ///< what a backup waits for
        Time master_down{};
        Duration interval{};
        std::optional<vrrp::Heard> master, lower;
        bool followed{false}, prompted{false}, adopting{false}, delay_over{false};
        std::optional<Time> preempt_at;
    };
    struct Serving { ///< what a master owes
        Time entered{}, last_advert{}, advert_due{never}, answer_due{never};
        Duration spacing{}; ///< the least distance to the next advert
        Duration quarter{}; ///< of the interval in which the last advert was sent
        Unheard unheard;
    };
    struct Going { ///< what a leaving router waits for
        Time deadline{};
        std::optional<Time> first_advert;
        std::optional<vrrp::Heard> successor;
        std::map<IpAddress, Time> announced;
    };

    void begin(const Turn& turn);
    void note_link(const engine::Event& event);
    void complain(const char* monitor, std::string text);

    bool acceptable(const engine::AdvertReceived& heard) const;
    Duration skew(Priority priority, Duration interval) const;
    Duration learnt(Duration announced) const;

    void listen(Time now);
    void follow(const vrrp::Heard& heard, Time now);
    void hear_as_backup(const vrrp::Heard& heard, Time now);
    void end_preempt_delay(Time now);
    void expect_backup(const Turn& turn);
    void check_backup(const Turn& turn);
    void check_takeover(const Turn& turn);

    void hear_as_master(const Turn& turn, const vrrp::Heard& heard);
    void check_master_turn(const Turn& turn);
    void check_pace(const Turn& turn);
    void check_announcements(const Turn& turn);
    void enter_master(const Turn& turn);

    void enter_leaving(const Turn& turn);
    void check_leaving(const Turn& turn);
    void check_removals(const Turn& turn);
    Time leaving_ends() const;

    std::uint64_t life_{0};
    std::shared_ptr<const model::Instance> model_;
    const Host* host_{nullptr};
    const engine::Router* router_{nullptr};
    std::optional<LinkIndex> link_; ///< of the router's interface, as the kernel told
    bool counted_{false};           ///< of a signed advert: it was new, and right
    Priority priority_{};
    bool preempt_{true};
    IpAddress address_;
    Time lease_deadline_{never};
    Listening listening_;
    Serving serving_;
    Going going_;
    AnnounceOracle announcing_;
    std::optional<Complaint> complaint_;
};

} // namespace holdfast::sim
