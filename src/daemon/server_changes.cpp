#include "daemon/server_changes.hpp"

#include "base/result.hpp"
#include "base/text.hpp"
#include "config/overlay_text.hpp"
#include "config/yaml.hpp"
#include "daemon/text_file.hpp"
#include "upstream/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <unistd.h>

namespace holdfast::daemon {
namespace {

namespace fs = std::filesystem;
using model::ChangeRefusal;
using model::Origin;

constexpr auto overlay_file = "servers.yaml";
/// In this order: where both name a server, the first one counts.
constexpr std::array overlay_origins{Origin::persistent, Origin::runtime};

struct Refused {
    ChangeRefusal why;
    std::string text;
};
template <typename Value>
using Or = std::expected<Value, Refused>;

std::unexpected<Refused> refuse(ChangeRefusal why, std::string text) {
    while (text.ends_with('\n'))
        text.pop_back();
    return std::unexpected{Refused{why, std::move(text)}};
}

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

std::optional<config::Source> read_source(const Options& options, Origin origin, std::vector<std::string>& warnings) {
    const auto path = overlay_path(options, origin);
    if (!is_there(path)) return std::nullopt;
    auto text = read_text(path);
    if (text) return config::Source{path.string(), std::move(*text), origin};
    warnings.push_back(fmt::format("{}: warning: {}; what was added there is left out\n", path.string(), text.error()));
    return std::nullopt;
}

class Change {
  public:
    Change(const Options& options, const LoadedConfig& in_force, const model::ServerChange& change)
        : options_{options}, in_force_{in_force}, change_{change}, name_{change.server + "/" + change.real} {}

    Or<LoadedConfig> add();
    Or<LoadedConfig> remove();
    const std::string& text() const { return text_; }

  private:
    using Overlay = std::vector<config::AddedServer>;
    using Overlays = std::map<Origin, Overlay>; ///< those that change

    const model::VirtualServer* server() const { return model::find_server(*in_force_.config, change_.server); }
    const model::RealServer* real() const {
        const auto* const in = server();
        if (!in) return nullptr;
        const auto at = std::ranges::find(in->real_servers, change_.real, &model::RealServer::name);
        return at == in->real_servers.end() ? nullptr : &*at;
    }
    bool is_meant(const config::AddedServer& added) const {
        return added.server == change_.server && added.real == change_.real;
    }
    Or<Overlay> read(Origin) const;
    Or<Overlays> others(bool is_kept) const;
    Or<LoadedConfig> load(const std::map<Origin, std::string>& changed) const;
    Or<LoadedConfig> keep(const Overlays&) const;
    Or<void> replace(Origin, const Overlay&, const std::string& text) const;
    Or<LoadedConfig> not_added() const;

    const Options& options_;
    const LoadedConfig& in_force_;
    const model::ServerChange& change_;
    std::string name_; ///< "web/s3"
    std::string text_; ///< what was done
};

Or<Change::Overlay> Change::read(Origin origin) const {
    const auto path = overlay_path(options_, origin);
    if (!is_there(path)) return Overlay{};
    const auto text = read_text(path);
    if (!text) return refuse(ChangeRefusal::failed, fmt::format("{} {}", path.string(), text.error()));
    auto overlay = config::read_overlay({path.string(), *text, origin});
    if (overlay) return std::move(*overlay);
    return refuse(ChangeRefusal::failed, fmt::format("{} is broken, and what stands there would be lost: mend it\n{}",
                                                     path.string(), config::render(overlay.error())));
}

/// What is in force, with these texts in place of their overlays.
Or<LoadedConfig> Change::load(const std::map<Origin, std::string>& changed) const {
    std::vector<config::Source> sources;
    std::vector<std::string> ignored; // said when they were loaded
    for (const auto origin : overlay_origins)
        if (const auto text = changed.find(origin); text != changed.end())
            sources.push_back({overlay_path(options_, origin).string(), text->second, origin});
        else if (auto source = read_source(options_, origin, ignored))
            sources.push_back(std::move(*source));
    auto loaded = load_texts(options_, *in_force_.texts, sources);
    if (!loaded.config) return refuse(ChangeRefusal::invalid, join(loaded.problems, ""));
    if (!change_.directives) return loaded;
    for (const auto& left_out : loaded.left_out)
        if (left_out.server == change_.server && left_out.real == change_.real)
            return refuse(ChangeRefusal::invalid, config::render(left_out.why));
    return loaded;
}

/// In the order of overlay_origins: killed on the way, a server stands in both, and the persistent one counts.
Or<LoadedConfig> Change::keep(const Overlays& overlays) const {
    std::map<Origin, std::string> texts;
    for (const auto& [origin, overlay] : overlays) {
        const auto& text = texts[origin] = config::write_overlay(overlay);
        if (text.size() > config::largest_file)
            return refuse(ChangeRefusal::limit,
                          fmt::format("{} would have more than {} bytes: write some of its servers into the "
                                      "configuration, and reload it",
                                      overlay_path(options_, origin).string(), config::largest_file));
    }
    auto loaded = load(texts);
    if (!loaded) return loaded;
    for (const auto origin : overlay_origins)
        if (const auto overlay = overlays.find(origin); overlay != overlays.end())
            if (auto done = replace(origin, overlay->second, texts[origin]); !done)
                return std::unexpected{std::move(done.error())};
    return loaded;
}

Or<void> Change::replace(Origin origin, const Overlay& overlay, const std::string& text) const {
    const auto path = overlay_path(options_, origin);
    if (overlay.empty()) {
        if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
        return refuse(ChangeRefusal::failed,
                      fmt::format("{} can't be removed: {}", path.string(), std::strerror(errno)));
    }
    const auto written = upstream::replace_file(path, text, upstream::Readers::owner);
    if (!written) return refuse(ChangeRefusal::failed, written.error());
    return {};
}

/// The overlays that have it, without it. `is_kept`: from now on it is persistent, and need not be runtime's alone.
Or<Change::Overlays> Change::others(bool is_kept) const {
    Overlays found;
    for (const auto origin : overlay_origins) {
        auto overlay = read(origin);
        if (!overlay || std::erase_if(*overlay, [&](const auto& added) { return is_meant(added); }) == 0) continue;
        if (!is_kept)
            return refuse(ChangeRefusal::exists,
                          fmt::format("{} stands in {} already, and is left out: remove it there first, holdfastctl "
                                      "remove {}",
                                      name_, overlay_path(options_, origin).string(), name_));
        found.emplace(origin, std::move(*overlay));
    }
    return found;
}

Or<LoadedConfig> Change::add() {
    if (!server())
        return refuse(ChangeRefusal::no_such_server, fmt::format("there is no virtual server '{}'", change_.server));
    if (!is_name(change_.real))
        return refuse(ChangeRefusal::invalid, "this cannot be the name of a real server: a name has 1 to 64 letters, "
                                              "digits, '_', '.' or '-'");
    const auto* const other = real();
    const bool is_kept = other && other->origin == Origin::runtime && change_.persistent;
    if (other && !is_kept)
        return refuse(ChangeRefusal::exists,
                      fmt::format("there is a real server {} already, at {}: give this one another name{}", name_,
                                  to_string(other->address),
                                  other->origin == Origin::runtime ? ", or keep that one with --persistent" : ""));
    const auto directives = config::read_directives(*change_.directives);
    if (!directives) return refuse(ChangeRefusal::invalid, config::render(directives.error()));
    auto changed = others(is_kept);
    if (!changed) return std::unexpected{std::move(changed.error())};
    const auto origin = change_.persistent ? Origin::persistent : Origin::runtime;
    auto read_now = read(origin);
    if (!read_now) return std::unexpected{std::move(read_now.error())};
    auto* const overlay = &changed->try_emplace(origin, std::move(*read_now)).first->second;
    if (overlay->size() >= most_added)
        return refuse(ChangeRefusal::limit, fmt::format("{} has {} real servers already: write some of them into the "
                                                        "configuration, and reload it",
                                                        overlay_path(options_, origin).string(), overlay->size()));
    overlay->push_back({change_.server, change_.real, *directives});
    text_ = is_kept ? fmt::format("{} stays when this host starts again", name_)
                    : fmt::format("{} is added{}", name_, change_.persistent ? "" : " until this host starts again");
    return keep(*changed);
}

Or<LoadedConfig> Change::remove() {
    std::optional<Refused> broken;
    for (const auto origin : overlay_origins) {
        auto overlay = read(origin);
        if (!overlay) broken = std::move(overlay.error());
        if (!overlay || std::erase_if(*overlay, [&](const auto& added) { return is_meant(added); }) == 0) continue;
        const auto* const before = real();
        const auto* const in = server();
        text_ = before && before->origin == Origin::file ? fmt::format("{} is the configuration's alone", name_)
                                                         : fmt::format("{} is removed", name_);
        if (before && before->origin != Origin::file && in->drain_timeout > Duration::zero())
            text_ += fmt::format("; its connections have {} to end", to_string(in->drain_timeout));
        return keep({{origin, std::move(*overlay)}});
    }
    if (broken) return std::unexpected{std::move(*broken)};
    return not_added();
}

Or<LoadedConfig> Change::not_added() const {
    const auto place = config::place_of_real_server(in_force_.texts->files, change_.server, change_.real);
    if (place)
        return refuse(
            ChangeRefusal::in_file,
            fmt::format("{} stands in the configuration, at {}: drain or disable it, or take it out there and "
                        "reload",
                        name_, *place));
    return refuse(ChangeRefusal::no_such_server,
                  server() ? fmt::format("virtual server '{}' has no real server '{}'", change_.server, change_.real)
                           : fmt::format("there is no virtual server '{}'", change_.server));
}

} // namespace

fs::path overlay_path(const Options& options, Origin origin) {
    return (origin == Origin::persistent ? options.state_directory : options.runtime_directory) / overlay_file;
}

std::vector<config::Source> read_overlays(const Options& options, std::vector<std::string>& warnings) {
    std::vector<config::Source> result;
    for (const auto origin : overlay_origins)
        if (auto source = read_source(options, origin, warnings)) result.push_back(std::move(*source));
    return result;
}

LoadedConfig change_servers(const Options& options, const LoadedConfig& in_force,
                            const bus::ServerChangeRequested& request) {
    Change change{options, in_force, request.change};
    auto done = request.change.directives ? change.add() : change.remove();
    if (done) {
        done->change = bus::ServerChanged{request.command, std::nullopt, change.text()};
        return std::move(*done);
    }
    return {.config = nullptr,
            .change = bus::ServerChanged{request.command, done.error().why, std::move(done.error().text)}};
}

} // namespace holdfast::daemon
