#include "vrrp/timing.hpp"

#include <algorithm>

namespace holdfast::vrrp {
namespace {

constexpr int interval_cap = 4; // times our own

} // namespace

Duration skew(const Self& self, Duration master_interval) {
    const Duration unit = self.version == model::Version::v2 ? Duration{1s} : master_interval;
    return unit * (256 - self.priority.value) / 256;
}

Duration master_down(const Self& self, Duration master_interval) {
    return self.down_adverts * master_interval + skew(self, master_interval);
}

Duration learnt_interval(const Self& self, Duration announced) {
    if (self.version == model::Version::v2) return self.interval;
    return announced > self.interval * interval_cap ? self.interval : announced;
}

Duration handover_limit(const Self& self) {
    const Duration largest_skew = self.version == model::Version::v2 ? Duration{1s} : self.interval;
    return std::min(self.handover_timeout, largest_skew + 100ms);
}

Time drawn_to_beat(Time next_advert, Duration interval) {
    const Duration behind_beat = next_advert.time_since_epoch() % (interval / 4);
    return next_advert - std::min({behind_beat, interval / 20, Duration{500us}});
}

} // namespace holdfast::vrrp
