#include "bus/raw.hpp"

#include <fcntl.h>
#include <sys/epoll.h>

namespace holdfast::bus {
namespace {

constexpr int messages_a_turn = 32; ///< so a flood on one line does not hold up the others

} // namespace

std::uint64_t unsent(sd_bus* bus) {
    std::uint64_t count = 0;
    return sd_bus_get_n_queued_write(bus, &count) < 0 ? 0 : count;
}

RawBus serve(Fd fd) {
    sd_bus* made = nullptr;
    if (sd_bus_new(&made) < 0) return {};
    RawBus bus{made};
    sd_id128_t id{};
    // Anonymous is as good as a name here: who is calling says the socket itself (SO_PEERCRED).
    const bool set = sd_id128_randomize(&id) >= 0 && sd_bus_set_fd(made, fd.get(), fd.get()) >= 0 &&
                     sd_bus_set_server(made, 1, id) >= 0 && sd_bus_set_anonymous(made, 1) >= 0 &&
                     sd_bus_negotiate_fds(made, 0) >= 0;
    if (!set) return {};
    fd.release(); // sd-bus closes it
    return bus;
}

Line::Line(sd_event* event, RawBus bus, Pace pace, OnMessage on_message, std::function<void()> ended)
    : bus_{std::move(bus)}, pace_{pace}, on_message_{std::move(on_message)}, ended_{std::move(ended)},
      fd_{::fcntl(sd_bus_get_fd(bus_.get()), F_DUPFD_CLOEXEC, 3)}, timer_{event, [this] { process(); }},
      watch_{std::make_unique<Watch>(event, fd_.get(), EPOLLIN, [this] { process(); }, [this] { prepare(); })} {
    const auto on_any = [](sd_bus_message* message, void* self, sd_bus_error*) {
        static_cast<Line*>(self)->on_message_(message);
        return 1;
    };
    sd_bus_slot* slot = nullptr;
    sd_bus_add_filter(bus_.get(), &slot, on_any, this);
    filter_.reset(slot);
}

void Line::prepare() {
    const int wanted = sd_bus_get_events(bus_.get());
    if (wanted < 0) return;
    const auto events = static_cast<std::uint32_t>(wanted);
    const bool writes_only = held();
    watch_->set_events(writes_only ? events & ~std::uint32_t{EPOLLIN} : events);
    std::uint64_t timeout = UINT64_MAX;
    if (!writes_only) sd_bus_get_timeout(bus_.get(), &timeout);
    timer_.at(timeout);
}

void Line::process() {
    for (int i = 0; i < messages_a_turn; ++i) {
        const int more = sd_bus_process(bus_.get(), nullptr);
        if (more < 0 || sd_bus_is_open(bus_.get()) <= 0) {
            timer_.stop();
            watch_.reset();
            return ended_();
        }
        if (more == 0 || held()) return;
    }
}

} // namespace holdfast::bus
