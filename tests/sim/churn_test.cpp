// Interface churn (reliability.md): every sequence of four of delete, add, rename (away and back), down and up, on the interface
// of one of two routers. Once it settles, both hosts must be what a fresh start in that last situation makes of them: states and
// faults, addresses, macvlans, sockets, and where the client sends.

#include "world.hpp"

#include <array>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace holdfast::sim {
namespace {

enum class Change : std::uint8_t { erase, add, rename, down, up };
constexpr std::array<const char*, 5> change_names{"delete", "add", "rename", "down", "up"};
constexpr std::size_t length = 4;
using Sequence = std::array<Change, length>;

constexpr Duration settling = 12s;
constexpr std::size_t churned = 0; ///< the host

struct Setting {
    const char* name;
    Priority priority{200}; ///< of the churned host; the other one has 150
    bool virtual_mac{false}, ipvlan{false}, keeps_index{false}, grouped{false};
};
/// How fast the changes come, and how slowly the kernel answers beside that.
struct Tempo {
    Duration gap, kernel_delay, news_delay;
};
constexpr std::array tempos{Tempo{0s, 100us, 0s}, Tempo{4ms, 10ms, 1ms}, Tempo{700ms, 100us, 0s}, Tempo{6s, 100us, 0s}};

std::string name_of(const Sequence& sequence) {
    std::string text;
    for (const auto change : sequence)
        text += fmt::format("{}{}", text.empty() ? "" : ", ", change_names[static_cast<std::size_t>(change)]);
    return text;
}

/// Two hosts that are watched for what they listen for.
class Pair {
  public:
    Pair(const Setting& setting, const Tempo& tempo) {
        for (const bool is_churned : {true, false}) {
            HostOptions host{.name = is_churned ? "r1" : "r2",
                             .kernel_delay = tempo.kernel_delay,
                             .news_delay = tempo.news_delay,
                             .keeps_index = setting.keeps_index};
            host.instance = {.name = "web",
                             .interface = "eth0",
                             .vrid = Vrid{7},
                             .priority = is_churned ? setting.priority : Priority{150},
                             .addresses = {*parse_prefix("192.0.2.1/24")}};
            if (setting.virtual_mac) host.instance.virtual_mac.emplace();
            if (setting.ipvlan) host.instance.ipvlan.emplace();
            if (setting.grouped) {
                auto partner = host.instance;
                partner.name = "web2";
                partner.vrid = Vrid{8};
                partner.addresses = {*parse_prefix("192.0.2.2/24")};
                host.partners = {partner};
            }
            world.add(host);
        }
        filters_.resize(world.hosts.size());
        world.on_turn = [this](const Turn& turn) {
            for (const auto& action : turn.actions) {
                if (const auto* wish = std::get_if<engine::ListenFor>(&action))
                    filters_[turn.host][{wish->link, wish->family}] = wish->vrids.count();
                if (const auto* gone = std::get_if<engine::Unlisten>(&action))
                    filters_[turn.host].erase({gone->link, gone->family});
            }
        };
    }

    void start() {
        for (std::size_t i = 0; i < world.hosts.size(); ++i)
            world.start(i);
        world.run(settling);
    }

    void change(Change what) {
        auto& kernel = world.hosts[churned]->kernel;
        if (what == Change::add) {
            if (kernel.link_exists) return;
            kernel.link_up = false; // as the kernel makes it
            return world.remove_link(churned, true);
        }
        if (!kernel.link_exists) return;
        if (what == Change::erase) world.remove_link(churned, false);
        if (what == Change::rename) world.rename_link(churned, kernel.link_name == "eth0" ? "away0" : "eth0");
        if (what == Change::down && kernel.link_up) world.set_link(churned, false);
        if (what == Change::up && !kernel.link_up) world.set_link(churned, true);
    }

    /// All that a fresh start must agree with. Indexes are others, so interfaces go by their names.
    std::string picture() const {
        std::string text;
        for (std::size_t i = 0; i < world.hosts.size(); ++i)
            text += picture_of(i);
        for (const auto& [address, mac] : world.client_cache)
            text += fmt::format("the client sends to {} at {}\n", to_string(address), holder_of(mac));
        return text;
    }

    World world{1, {.delay_min = 100us, .delay_max = 100us}};

  private:
    static std::string name_of(const FakeKernel& kernel, LinkIndex link) {
        if (link == kernel.link && kernel.link_exists) return kernel.link_name;
        const auto at = kernel.macvlans.find(link);
        return at == kernel.macvlans.end() ? "an interface that is gone" : at->second.name;
    }

    std::string holder_of(const MacAddress& mac) const {
        for (const auto& host : world.hosts)
            if (host->mac == mac) return host->options.name;
        const auto port = world.switch_port.find(mac);
        return port == world.switch_port.end() ? "nobody" : "port of " + world.hosts[port->second]->options.name;
    }

    std::string picture_of(std::size_t index) const {
        const auto& host = *world.hosts[index];
        const auto& kernel = host.kernel;
        std::string text = host.options.name + ":\n";
        for (const auto& view : host.engine->snapshot()->instances) {
            text += fmt::format("  {} {} priority {} lease {} from {}\n", view->model->name, view->state,
                                view->priority.value, holdfast::to_string(view->lease),
                                view->source ? to_string(*view->source) : "nowhere");
            for (const auto& fault : view->faults)
                text += fmt::format("    fault {}: {}\n", fault.code, fault.text);
            for (const auto& address : view->addresses)
                text += fmt::format("    {} is {} on {}\n", to_string(address.prefix), address.state, address.link);
        }
        for (const auto& [prefix, address] : kernel.addresses)
            if (address.ours)
                text += fmt::format("  has {} on {}{}\n", to_string(prefix), name_of(kernel, address.link),
                                    address.expires == never ? " for ever" : "");
        for (const auto& [link, macvlan] : kernel.macvlans)
            text += fmt::format("  {} on {} up={} alias '{}'\n", macvlan.name, name_of(kernel, macvlan.parent),
                                macvlan.admin_up, macvlan.alias);
        text += fmt::format("  arp_ignore={}\n", kernel.arp.arp_ignore);
        for (const auto& [link, family] : host.listening) {
            const auto filter = filters_[index].find({link, family});
            text += fmt::format("  listens on {} for {} routers\n", name_of(kernel, link),
                                filter == filters_[index].end() ? 0 : filter->second);
        }
        text += fmt::format("  {} operations in flight\n", host.others_in_flight);
        return text;
    }

    std::vector<std::map<std::pair<LinkIndex, Family>, std::size_t>> filters_;
};

/// What the last situation makes of hosts that were never in another.
std::string fresh_picture(const Setting& setting, const FakeKernel& last) {
    Pair pair{setting, tempos[0]};
    auto& kernel = pair.world.hosts[churned]->kernel;
    kernel.link_exists = last.link_exists;
    kernel.link_up = last.link_up;
    kernel.link_name = last.link_name;
    pair.start();
    return pair.picture();
}

class Churn : public testing::TestWithParam<Setting> {};

TEST_P(Churn, EndsWhereAFreshStartEnds) {
    const auto& setting = GetParam();
    std::map<std::tuple<bool, bool, std::string>, std::string> fresh;
    int failures = 0;
    for (const auto& tempo : tempos)
        for (std::size_t number = 0; number < 5 * 5 * 5 * 5; ++number) {
            Sequence sequence;
            for (std::size_t i = 0, rest = number; i < length; ++i, rest /= change_names.size())
                sequence[i] = static_cast<Change>(rest % change_names.size());
            Pair pair{setting, tempo};
            pair.start();
            for (const auto change : sequence) {
                pair.change(change);
                pair.world.run(tempo.gap);
            }
            pair.world.run(settling);
            const auto& last = pair.world.hosts[churned]->kernel;
            auto& expected = fresh[{last.link_exists, last.link_up, last.link_name}];
            if (expected.empty()) expected = fresh_picture(setting, last);
            EXPECT_EQ(pair.picture(), expected)
                << name_of(sequence) << ", " << holdfast::to_string(tempo.gap) << " apart";
            failures += HasFailure();
            if (failures >= 3) return;
        }
}

INSTANTIATE_TEST_SUITE_P(
    Interfaces, Churn,
    testing::Values(Setting{"master"}, Setting{"standby", Priority{100}},
                    Setting{.name = "virtual_mac", .virtual_mac = true}, Setting{.name = "ipvlan", .ipvlan = true},
                    Setting{.name = "same_index", .keeps_index = true},
                    Setting{.name = "virtual_mac_same_index", .virtual_mac = true, .keeps_index = true},
                    Setting{.name = "sync_group", .grouped = true}),
    [](const auto& each) { return std::string{each.param.name}; });

} // namespace
} // namespace holdfast::sim
