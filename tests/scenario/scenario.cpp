// Runs the readable scenarios: each file is an opening comment that cites its rule, commands, `----`, and what every host did.
// `--rewrite` writes down what happens now; people review that against the RFC. The world is the simulator's, without chance.

#include "base/text.hpp"
#include "engine/print.hpp"
#include "world.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace holdfast::sim {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::string part;
    for (std::istringstream in{text}; std::getline(in, part, separator);) {
        const auto first = part.find_first_not_of(" \t"), last = part.find_last_not_of(" \t");
        if (first != std::string::npos) parts.push_back(part.substr(first, last - first + 1));
    }
    return parts;
}

[[noreturn]] void fail(const std::string& text) {
    throw std::runtime_error{text};
}

Duration duration(const std::string& text) {
    const auto value = parse_duration(text);
    if (!value) fail("not a duration: " + text);
    return *value;
}

/// `ah=PASSWORD`, or `keys=1,2 active=2 mode=permissive`: key n is 32 bytes of n, or of `secret=`.
void set_authentication(model::Instance& instance, const std::string& key, const std::string& value) {
    if (key == "ah") {
        model::AhAuthentication ah;
        std::ranges::copy(value, ah.key.begin());
        instance.authentication = ah;
        return;
    }
    if (key == "keys") {
        model::HmacAuthentication hmac;
        for (const auto& part : split(value, ',')) {
            const auto id = static_cast<std::uint8_t>(std::stoi(part));
            hmac.keys.push_back({id, Bytes(32, id)});
        }
        hmac.active_key = hmac.keys.front().id;
        instance.authentication = hmac;
        return;
    }
    auto* hmac = instance.authentication ? std::get_if<model::HmacAuthentication>(&*instance.authentication) : nullptr;
    if (!hmac) fail("unknown option: " + key);
    if (key == "secret") // the same ids, other keys
        for (auto& each : hmac->keys)
            each.secret = Bytes(32, static_cast<std::uint8_t>(std::stoi(value)));
    else if (key == "active")
        hmac->active_key = static_cast<std::uint8_t>(std::stoi(value));
    else if (key == "mode")
        hmac->mode = value == "permissive"     ? model::HmacMode::permissive
                     : value == "receive-only" ? model::HmacMode::receive_only
                                               : model::HmacMode::enforce;
    else if (key == "replay")
        hmac->anti_replay = value == "monotonic" ? model::AntiReplay::monotonic : model::AntiReplay::time;
    else
        fail("unknown option: " + key);
}

void set_option(HostOptions& host, const std::string& key, const std::string& value) {
    auto& instance = host.instance;
    if (key == "vrid")
        instance.vrid = Vrid{static_cast<std::uint8_t>(std::stoi(value))};
    else if (key == "priority")
        instance.priority = Priority{static_cast<std::uint8_t>(std::stoi(value))};
    else if (key == "interval")
        instance.advert_interval = duration(value);
    else if (key == "version")
        instance.version = value == "2" ? model::Version::v2 : model::Version::v3;
    else if (key == "preempt")
        instance.preempt = value != "off";
    else if (key == "preempt_delay")
        instance.preempt_delay = duration(value);
    else if (key == "prompt")
        instance.prompt = value != "off";
    else if (key == "handover")
        instance.handover_timeout = duration(value);
    else if (key == "uptime") // when the transcript begins; the world begins at one hour
        host.clock_offset = duration(value) - 1h;
    else if (key == "boot_delay")
        instance.boot_delay = duration(value);
    else if (key == "track_link")
        instance.track_link = value == "on";
    else if (key == "startup_delay")
        instance.startup_delay = duration(value);
    else if (key == "refresh")
        instance.announce_refresh = duration(value);
    else if (key == "refresh_repeat")
        instance.announce_refresh_repeat = static_cast<unsigned>(std::stoi(value));
    else if (key == "announce_delay")
        instance.announce_delay = duration(value);
    else if (key == "announce_repeat")
        instance.announce_repeat = static_cast<unsigned>(std::stoi(value));
    else if (key == "lower_delay")
        instance.announce_lower_delay = duration(value);
    else if (key == "lower_repeat")
        instance.announce_lower_repeat = static_cast<unsigned>(std::stoi(value));
    else if (key == "announce_interval")
        instance.announce_interval = duration(value);
    else if (key == "other_links")
        instance.announce_other_links.every = duration(value);
    else if (key == "lease")
        instance.lease.on = value != "off";
    else if (key == "before_removal") {
        instance.notify.before_removal = {"/bin/hook"};
        instance.notify.hook_timeout = duration(value);
    } else if (key == "after_adding")
        instance.notify.after_adding = {"/bin/hook"};
    else if (key == "vip") {
        instance.addresses.clear();
        for (const auto& part : split(value, ','))
            instance.addresses.push_back(*parse_prefix(part));
        instance.family = instance.addresses.front().address.family;
    } else if (key == "excluded") {
        for (const auto& part : split(value, ','))
            instance.excluded_addresses.push_back(*parse_prefix(part));
    } else if (key == "route") {
        for (const auto& part : split(value, ',')) {
            instance.routes.push_back({.to = *parse_prefix(part)});
            instance.routes.back().via = IpAddress::v4(192, 0, 2, 254);
        }
    } else if (key == "rule") {
        instance.rules.push_back({.priority = static_cast<std::uint32_t>(std::stoi(value)), .table = 100});
    } else if (key == "track_route") {
        instance.track.push_back({"path", {}});
        host.trackers.push_back({.name = "path", .kind = model::RouteTracker{.route = *parse_prefix(value)}});
    } else if (key == "label") {
        instance.addresses.front().label = value;
    } else if (key == "track") {
        const auto parts = split(value, ':');
        model::TrackUse use{parts[0], {}};
        if (parts.size() > 1) use.weight = std::stoi(parts[1]);
        instance.track.push_back(use);
        if (std::ranges::find(host.trackers, parts[0], &model::Tracker::name) == host.trackers.end())
            host.trackers.push_back({.name = parts[0], .kind = model::UnitTracker{parts[0] + ".service"}});
    } else if (key == "unicast") {
        instance.unicast.emplace();
        for (const auto& part : split(value, ','))
            instance.unicast->peers.push_back({.address = *parse_ip(part), .min_ttl = 255});
    } else if (key == "accept") {
        instance.accept = value == "on";
    } else if (key == "virtual_mac") {
        instance.virtual_mac = model::VirtualMac{.adverts_from = value == "parent" ? model::AdvertsFrom::parent
                                                                                   : model::AdvertsFrom::virtual_mac};
    } else if (key == "down_adverts")
        instance.down_adverts = static_cast<unsigned>(std::stoi(value));
    else if (key == "source")
        instance.source = *parse_ip(value);
    else if (key == "rise")
        host.trackers.back().rise = static_cast<unsigned>(std::stoi(value));
    else if (key == "fall")
        host.trackers.back().fall = static_cast<unsigned>(std::stoi(value));
    else
        set_authentication(instance, key, value);
}

/// One file in play.
class Stage {
  public:
    Stage() {
        world_.records = true;
        world_.on_turn = [this](const Turn& turn) { record(turn); };
    }

    void command(const std::string& line) {
        const auto words = split(line, ' ');
        if (words.empty()) return;
        const auto& verb = words[0];
        if (verb == "router") return add(words);
        if (!started_) start_all();
        if (verb == "run") return world_.run(duration(words.at(1)));
        if (verb == "heal") return world_.heal();
        if (verb == "announcements") return void(shows_announcements_ = words.at(1) == "shown");
        if (verb == "note") return lines_.push_back("    " + line.substr(5));
        const auto host = find(words.at(1));
        if (verb == "start")
            world_.start(host);
        else if (verb == "kill")
            world_.kill(host);
        else if (verb == "reboot")
            world_.reboot(host);
        else if (verb == "stop")
            world_.stop(host);
        else if (verb == "restart")
            world_.restart(host, words.size() > 2 ? duration(words[2]) : 250ms);
        else if (verb == "pause")
            world_.pause(host, duration(words.at(2)));
        else if (verb == "cut")
            for (std::size_t other = 0; other < world_.hosts.size(); ++other)
                world_.cut(host, other);
        else if (verb == "mute") // mute r1 8: nothing of this VRID passes
            for (std::size_t other = 0; other < world_.hosts.size(); ++other)
                world_.cut_vrid(host, other, Vrid{static_cast<std::uint8_t>(std::stoi(words.at(2)))});
        else if (verb == "deafen")
            for (std::size_t other = 0; other < world_.hosts.size(); ++other)
                world_.cut(other, host, false);
        else if (verb == "link")
            world_.set_link(host, words.at(2) == "up");
        else if (verb == "interface")
            world_.remove_link(host, words.at(2) == "appears");
        else if (verb == "delete")
            world_.delete_address(host, *parse_prefix(words.at(2)));
        else if (verb == "unmake")
            world_.delete_macvlan(host);
        else if (verb == "foreign")
            world_.add_foreign(host, *parse_prefix(words.at(2)));
        else if (verb == "delete_route")
            world_.delete_route(host, *parse_prefix(words.at(2)));
        else if (verb == "foreign_route")
            world_.add_foreign_route(host, *parse_prefix(words.at(2)));
        else if (verb == "rival")
            world_.rival(host, *parse_ip(words.at(2)));
        else if (verb == "refuse")
            world_.refuse(host, words.at(2) == "on");
        else if (verb == "failover")
            world_.failover(host, words.size() > 2 ? std::optional{duration(words[2])} : std::nullopt);
        else if (verb == "takeover")
            world_.command(host, engine::Takeover{.force = words.size() > 2});
        else if (verb == "by_hand") // by_hand r1 150|reset: the priority
            world_.command(host, engine::SetPriority{
                                     words.at(2) == "reset"
                                         ? std::nullopt
                                         : std::optional{Priority{static_cast<std::uint8_t>(std::stoi(words.at(2)))}}});
        else if (verb == "announce")
            world_.command(host, engine::AnnounceNow{});
        else if (verb == "maintenance")
            world_.maintain(host, words.at(2) == "on" ? std::optional<std::string>{"new disk"} : std::nullopt);
        else if (verb == "tracker")
            world_.observe(host, words.at(2),
                           words.at(3) == "up"     ? engine::Observation::up
                           : words.at(3) == "down" ? engine::Observation::down
                                                   : engine::Observation::unknown);
        else if (verb == "replay") // everything that was ever sent, once more
            world_.replay(host);
        else if (verb == "wall") // by how much its wall clock is wrong from now on
            world_.step_wall_clock(host,
                                   words.at(2).starts_with('-') ? -duration(words[2].substr(1)) : duration(words[2]));
        else if (verb == "reload")
            reload(host, words);
        else if (verb == "hears")
            hears(host, words);
        else
            fail("unknown command: " + line);
    }

    const std::vector<std::string>& lines() const { return lines_; }

  private:
    void add(const std::vector<std::string>& words) {
        HostOptions options;
        options.name = words.at(1);
        options.instance.name = "web";
        options.instance.interface = "eth0";
        options.instance.vrid = Vrid{7};
        options.instance.addresses = {*parse_prefix("192.0.2.1/24")};
        bool late = false;
        std::optional<model::Instance> first;
        for (std::size_t i = 2; i < words.size(); ++i) {
            const auto equals = words[i].find('=');
            if (words[i] == "late")
                late = true;
            else if (words[i] == "+")
                next_member(options, first);
            else if (equals == std::string::npos)
                fail("not an option: " + words[i]);
            else
                set_option(options, words[i].substr(0, equals), words[i].substr(equals + 1));
        }
        if (first) {
            options.partners.push_back(options.instance);
            options.instance = *first;
        }
        const auto index = world_.add(options);
        if (options.instance.is_owner()) world_.hosts[index]->kernel.addresses[options.instance.addresses[0]] = {};
        late_.push_back(late);
    }

    /// What follows on the line is another member of the sync group `edge`: web2 with VRID 8, and so on.
    static void next_member(HostOptions& options, std::optional<model::Instance>& first) {
        if (first)
            options.partners.push_back(options.instance);
        else
            first = options.instance;
        const auto number = options.partners.size() + 2;
        model::Instance next;
        next.name = fmt::format("web{}", number);
        next.interface = "eth0";
        next.vrid = Vrid{static_cast<std::uint8_t>(6 + number)};
        next.addresses = {*parse_prefix(fmt::format("192.0.2.{}/24", number))};
        options.instance = next;
    }

    void start_all() {
        started_ = true;
        begin_ = world_.now();
        for (std::size_t i = 0; i < world_.hosts.size(); ++i)
            if (!late_[i]) world_.start(i);
    }

    std::size_t find(const std::string& name) const {
        for (std::size_t i = 0; i < world_.hosts.size(); ++i)
            if (world_.hosts[i]->options.name == name) return i;
        fail("no router " + name);
    }

    void reload(std::size_t host, const std::vector<std::string>& words) {
        auto options = world_.hosts[host]->options;
        for (std::size_t i = 2; i < words.size(); ++i) {
            const auto equals = words[i].find('=');
            set_option(options, words[i].substr(0, equals), words[i].substr(equals + 1));
        }
        world_.reload(host, options.instance);
    }

    /// `hears r1 from=192.0.2.99 priority=0 [interval=.. vrid=.. version=.. ttl=.. bad-checksum]`: a stranger on the wire.
    void hears(std::size_t host, const std::vector<std::string>& words) {
        wire::Advert advert{.version = 3,
                            .vrid = Vrid{7},
                            .priority = Priority{100},
                            .interval = 1s,
                            .addresses = {world_.hosts[host]->options.instance.addresses[0].address}};
        auto source = IpAddress::v4(192, 0, 2, 99);
        std::uint8_t ttl = 255;
        bool damage = false;
        for (std::size_t i = 2; i < words.size(); ++i) {
            const auto equals = words[i].find('=');
            const auto key = words[i].substr(0, equals),
                       value = equals == std::string::npos ? "" : words[i].substr(equals + 1);
            if (key == "from")
                source = *parse_ip(value);
            else if (key == "priority")
                advert.priority = Priority{static_cast<std::uint8_t>(std::stoi(value))};
            else if (key == "interval")
                advert.interval = duration(value);
            else if (key == "vrid")
                advert.vrid = Vrid{static_cast<std::uint8_t>(std::stoi(value))};
            else if (key == "version")
                advert.version = static_cast<std::uint8_t>(std::stoi(value));
            else if (key == "ttl")
                ttl = static_cast<std::uint8_t>(std::stoi(value));
            else if (key == "bad-checksum")
                damage = true;
            else
                fail("hears: " + words[i]);
        }
        auto bytes = wire::encode(advert, source, vrrp_group(source.family));
        if (damage) bytes[6] ^= 0x5aU;
        world_.inject(host, source, bytes, ttl);
    }

    /// A turn is worth a line when it moved a state or an address, answered somebody, or told something to a person.
    void record(const Turn& turn) {
        const auto& host = *turn.world.hosts[turn.host];
        const auto* router = host.router();
        std::string edge, rest;
        const bool clock = std::holds_alternative<engine::Elapsed>(turn.event);
        if (router && state_name(router->state) != state_name(turn.before))
            edge = fmt::format("{} -> {} ({})", state_name(turn.before), state_name(router->state),
                               vrrp::name(router->reason));
        if (host.engine)
            for (const auto& each : host.engine->routers()) {
                const auto before = each ? turn.partners_before.find(each->name()) : turn.partners_before.end();
                if (before != turn.partners_before.end() && state_name(before->second) != state_name(each->state))
                    edge += fmt::format("{}{} {} -> {} ({})", edge.empty() ? "" : "  ", each->name(),
                                        state_name(before->second), state_name(each->state), vrrp::name(each->reason));
            }
        for (const auto& action : turn.actions) {
            const auto* operation = std::get_if<engine::Operation>(&action);
            const bool renewal = operation && std::holds_alternative<engine::RenewAddress>(operation->what);
            const bool setting = operation && std::holds_alternative<engine::PromoteSecondaries>(operation->what);
            const bool advert = std::holds_alternative<engine::SendAdvert>(action);
            const bool announcement = std::holds_alternative<engine::Announce>(action);
            const bool told = std::holds_alternative<engine::Tell>(action) &&
                              std::get<engine::Tell>(action).note.kind != engine::NoteKind::state_change &&
                              std::get<engine::Tell>(action).note.kind != engine::NoteKind::stopping &&
                              std::get<engine::Tell>(action).note.kind != engine::NoteKind::tracker_changed;
            const bool shown =
                (operation && !setting && !(renewal && clock && edge.empty())) ||
                (advert && (!clock || !edge.empty())) || (announcement && (!clock || shows_announcements_)) || told ||
                std::holds_alternative<engine::RunHook>(action) || std::holds_alternative<engine::SetFilter>(action) ||
                std::holds_alternative<engine::Reply>(action);
            if (shown) rest += "  " + engine::to_string(action);
        }
        if (edge.empty() && rest.empty()) return;
        const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(turn.world.now() - begin_);
        lines_.push_back(fmt::format("{:>3}.{:03} {} {}{}", since.count() / 1000, since.count() % 1000,
                                     host.options.name, edge, rest));
    }

    static std::string_view state_name(const vrrp::State& state) {
        return std::holds_alternative<vrrp::Leaving>(state) ? "leaving" : vrrp::name(state);
    }

    World world_{1, {.delay_min = 100us, .delay_max = 100us}};
    std::vector<bool> late_;
    std::vector<std::string> lines_;
    bool started_{false};
    bool shows_announcements_{false}; ///< those too that only the clock asked for
    Time begin_{};
};

bool play(const fs::path& path, bool rewrite) {
    std::ifstream in{path};
    std::string line, head;
    std::vector<std::string> expected;
    bool behind = false;
    Stage stage;
    try {
        while (std::getline(in, line)) {
            if (line == "----") {
                behind = true;
            } else if (behind) {
                expected.push_back(line);
            } else {
                head += line + "\n";
                if (line.starts_with('#')) continue;
                for (const auto& command : split(line, ';'))
                    stage.command(command);
            }
        }
    } catch (const std::exception& error) {
        fmt::print("{}: {}\n", path.filename().string(), error.what());
        return false;
    }
    if (!head.starts_with("# ")) {
        fmt::print("{}: it does not open with the rule that it shows\n", path.filename().string());
        return false;
    }
    if (rewrite) {
        std::ofstream out{path};
        out << head << "----\n";
        for (const auto& each : stage.lines())
            out << each << "\n";
        return true;
    }
    if (stage.lines() == expected) return true;
    fmt::print("{}: not as written\n", path.filename().string());
    for (std::size_t i = 0; i < std::max(expected.size(), stage.lines().size()); ++i) {
        const std::string want = i < expected.size() ? expected[i] : "(nothing)",
                          got = i < stage.lines().size() ? stage.lines()[i] : "(nothing)";
        if (want != got) fmt::print("  wanted {}\n  got    {}\n", want, got);
    }
    return false;
}

} // namespace
} // namespace holdfast::sim

int main(int argc, char** argv) {
    const bool rewrite = argc > 2 && std::strcmp(argv[1], "--rewrite") == 0;
    std::vector<std::filesystem::path> files;
    for (int i = rewrite ? 2 : 1; i < argc; ++i) {
        if (!std::filesystem::is_directory(argv[i]))
            files.emplace_back(argv[i]);
        else
            for (const auto& entry : std::filesystem::directory_iterator{argv[i]})
                if (entry.path().extension() == ".txt") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    std::size_t failed = 0;
    for (const auto& file : files)
        failed += !holdfast::sim::play(file, rewrite);
    fmt::print("{} scenarios, {} failed\n", files.size(), failed);
    return failed == 0 && !files.empty() ? 0 : 1;
}
