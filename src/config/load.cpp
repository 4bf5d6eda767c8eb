#include "config/load.hpp"

#include "base/assert.hpp"
#include "config/address.hpp"
#include "config/check.hpp"
#include "config/families.hpp"
#include "config/ipvs.hpp"
#include "config/list.hpp"
#include "config/route.hpp"
#include "config/sections.hpp"
#include "config/server.hpp"
#include "config/yaml.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace holdfast::config {
namespace {

using model::Group;
using model::Instance;
using model::Tracker;

/// One load from text to model. Its steps are in the order of load() below.
class Load {
  public:
    Load(const Request& request, OverlayMerge& overlays)
        : request_{request}, overlays_{overlays},
          context_{sources_, problems_, request.node_name, request.credential, {}, {}, request.key_file} {}

    /// Nothing: the problems say why.
    std::optional<Loaded> run();
    const Problems& problems() const { return problems_; }
    const Sources& sources() const { return sources_; }

  private:
    void read_files();
    void settle_node_name();
    void read_defaults();
    void read_trackers();
    void read_instances();
    void read_groups();
    void read_mail();
    void read_statics();
    void read_servers();
    void resolve_groups(model::Config&) const;
    Loaded finish();
    void add_origins(Loaded&) const;

    const Request& request_;
    OverlayMerge& overlays_;
    Sources sources_;
    Problems problems_;
    Context context_;
    std::vector<Node> roots_; ///< filled before anything points into it
    bool whole_{true};        ///< every file became a tree
    Sections sections_;
    std::optional<model::Mail> mail_;
    bool log_unknown_vrids_{false};
    std::vector<model::Route> static_routes_;
    std::vector<model::Rule> static_rules_;
    std::vector<model::StaticAddress> static_addresses_;
    Draft<Instance> defaults_;
    std::vector<Named<Instance>> instances_;
    std::vector<Named<Tracker>> trackers_;
    std::vector<Named<Group>> groups_;
    std::vector<model::AnnounceGroup> announce_groups_;
    std::vector<model::VirtualServer> virtual_servers_;
    model::Ipvs ipvs_;
};

void Load::read_files() {
    if (request_.files.empty()) problems_.error({.file = static_cast<unsigned>(-1)}, "there is no configuration file");
    overlays_.begin();
    for (const auto& file : request_.files) {
        const auto number = sources_.add(file);
        if (file.origin != model::Origin::file) {
            overlays_.read(sources_, number);
            continue;
        }
        auto root = parse_yaml(sources_, number, problems_);
        whole_ = whole_ && root;
        if (root) roots_.push_back(std::move(*root));
    }
    overlays_.merge(sources_, roots_);
    for (const auto& root : roots_)
        sections_.add(context_, root);
    for (const auto* entry : sections_.objects("trackers"))
        context_.trackers.push_back(entry->key);
    for (const auto* entry : sections_.objects("instances"))
        context_.instances.push_back(entry->key);
    // A broken file may have had them: no second message for the same mistake.
    if (!sections_.has("instances") && whole_ && !problems_.failed())
        problems_.error({0, 0, 0}, "there is no 'instances:'",
                        "describe at least one; 'instances: {}' says that none is wanted");
}

void Load::settle_node_name() {
    const auto* entry = sections_.single("node_name");
    if (!entry) {
        if (!request_.node_name.empty() && !is_name(request_.node_name))
            problems_.error({0, 0, 0}, "the host's name cannot be used as the name of this node",
                            "set node_name: in the file, 1 to 64 letters, digits, '_', '.' or '-'");
        return;
    }
    const auto name = check_object_name(entry->value);
    if (name)
        context_.node_name = *name;
    else
        complain(context_, "node_name", entry->value, name.error());
}

void Load::read_defaults() {
    const auto* entry = sections_.single("defaults");
    if (!entry) return;
    const auto& value = entry->value;
    if (!value.is_map()) {
        complain(context_, "'defaults'", value, must_be("a map of directives", value));
        return;
    }
    std::vector<Directive<Instance>> rows;
    std::vector<ForeignWord> foreign{foreign_instance_words().begin(), foreign_instance_words().end()};
    for (const auto& row : instance_directives()) {
        if (row.in_defaults)
            rows.push_back(row);
        else
            foreign.push_back({row.word, "every instance has its own: write it there"});
    }
    read_object<Instance>(context_, value, rows, foreign, "'defaults'", defaults_);
}

void Load::read_trackers() {
    for (const auto* entry : sections_.objects("trackers")) {
        Named<Tracker> named{entry->key, entry->mark, {}};
        named.draft.object.name = entry->key;
        read_object<Tracker>(context_, entry->value, tracker_directives(), foreign_tracker_words(), "a tracker",
                             named.draft);
        check_tracker(context_, named);
        trackers_.push_back(std::move(named));
    }
}

void Load::read_instances() {
    for (const auto* entry : sections_.objects("instances")) {
        Named<Instance> named{entry->key, entry->mark, defaults_};
        named.draft.object.name = entry->key;
        read_object<Instance>(context_, entry->value, instance_directives(), foreign_instance_words(), "an instance",
                              named.draft);
        require<Instance>(context_, instance_directives(), named.draft, fmt::format("instance '{}'", entry->key),
                          entry->mark);
        check_instance(context_, named);
        instances_.push_back(std::move(named));
    }
    check_together(context_, instances_);
}

void Load::read_groups() {
    for (const auto* entry : sections_.objects("sync_groups")) {
        Named<Group> named{entry->key, entry->mark, {}};
        named.draft.object.name = entry->key;
        const auto what = fmt::format("sync group '{}'", entry->key);
        read_object<Group>(context_, entry->value, group_directives(), {}, "a sync group", named.draft);
        require<Group>(context_, group_directives(), named.draft, what, entry->mark);
        if (named.draft.has("instances") && named.draft.usable("instances") && named.draft.object.instances.empty())
            context_.problems.error(named.draft.place("instances", entry->mark), fmt::format("{} has no members", what),
                                    "name them: instances: [web, inside]");
        groups_.push_back(std::move(named));
    }
    check_groups(context_, groups_, instances_);
}

/// Who wants mail must be able to get it.
void Load::read_mail() {
    if (const auto* entry = sections_.single("mail")) {
        mail_ = config::read_mail(context_, entry->value);
        return;
    }
    const auto complain_of = [&](Mark mark, std::string_view what, const std::string& name) {
        problems_.error(mark, fmt::format("{} '{}' has mail: true, and there is no 'mail:'", what, name),
                        "add mail: {server: smtp://localhost, from: ADDRESS, to: [ADDRESS]} at the top level");
    };
    const auto wants = [&](const auto& named, std::string_view what) {
        if (named.draft.usable("notify") && named.draft.object.notify.mail)
            complain_of(named.draft.place("notify", named.mark), what, named.name);
    };
    for (const auto& named : instances_)
        wants(named, "instance");
    for (const auto& named : groups_)
        wants(named, "sync group");
    for (const auto* entry : sections_.objects("virtual_servers")) {
        const auto server = std::ranges::find(virtual_servers_, entry->key, &model::VirtualServer::name);
        if (server != virtual_servers_.end() &&
            (server->notify.mail ||
             std::ranges::any_of(server->real_servers, [](const auto& real) { return real.notify.mail; })))
            complain_of(entry->mark, "virtual server", entry->key);
    }
}

void Load::read_statics() {
    const auto *routes = sections_.single("static_routes"), *rules = sections_.single("static_rules");
    if (routes) static_routes_ = read_routes(context_, "static_routes", routes->value).value_or(static_routes_);
    if (rules) static_rules_ = read_rules(context_, "static_rules", rules->value).value_or(static_rules_);
    std::vector<Extras> all;
    for (const auto& named : instances_)
        all.push_back({fmt::format("instance '{}'", named.name), &named.draft.object.routes, &named.draft.object.rules,
                       named.draft.place("routes", named.mark), named.draft.place("rules", named.mark)});
    all.push_back(
        {"the file", &static_routes_, &static_rules_, routes ? routes->mark : Mark{}, rules ? rules->mark : Mark{}});
    check_extras_together(context_, all);
    std::vector<std::string> groups;
    for (const auto& named : groups_)
        groups.push_back(named.name);
    check_track_groups(context_, all, groups);
    if (const auto* const entry = sections_.single("static_addresses"))
        static_addresses_ = read_static_addresses(context_, entry->value, groups).value_or(static_addresses_);
    if (!static_addresses_.empty())
        check_static_addresses(context_, static_addresses_, sections_.single("static_addresses")->mark, instances_);
}

void Load::read_servers() {
    std::vector<std::string> groups;
    for (const auto& named : groups_)
        groups.push_back(named.name);
    for (const auto& named : trackers_)
        check_tracked_server(context_, named.draft, named.mark, sections_.objects("virtual_servers"));
    if (const auto* entry = sections_.single("ipvs")) {
        ipvs_ = config::read_ipvs(context_, entry->value).value_or(ipvs_);
        if (ipvs_.sync && !ipvs_.sync->while_master.empty())
            check_followed(context_, ipvs_.sync->while_master, entry->mark, {context_.instances, groups});
    }
    virtual_servers_ =
        read_virtual_servers(context_, sections_.objects("virtual_servers"), {context_.instances, groups});
    std::vector<IpAddress> advertised;
    for (const auto& named : instances_)
        for (const auto& address : named.draft.object.addresses)
            advertised.push_back(address.address);
    settle_guard(context_, virtual_servers_, sections_.objects("virtual_servers"), advertised);
}

/// Names of the file become names of the model: `web` is `web/ipv4` and `web/ipv6` when it has both. Those two move together
/// anyway, so a pair outside every group is a group of its own.
void Load::resolve_groups(model::Config& config) const {
    const auto parts_of = [&](const std::string& name) {
        std::vector<std::string> parts;
        for (const auto& instance : config.instances)
            if (model::object_name(instance.name) == name) parts.push_back(instance.name);
        return parts;
    };
    for (const auto& named : groups_) {
        auto group = named.draft.object;
        group.instances.clear();
        for (const auto& name : named.draft.object.instances)
            std::ranges::copy(parts_of(name), std::back_inserter(group.instances));
        config.groups.push_back(std::move(group));
    }
    for (const auto& named : instances_)
        if (auto parts = parts_of(named.name); parts.size() > 1 && !group_of(config, parts.front()))
            config.groups.push_back({.name = named.name, .instances = std::move(parts), .is_pair = true});
    std::ranges::sort(config.groups, {}, &Group::name);
}

Loaded Load::finish() {
    Loaded loaded;
    loaded.config.node_name = context_.node_name;
    loaded.config.static_routes = static_routes_;
    loaded.config.static_rules = static_rules_;
    loaded.config.static_addresses = static_addresses_;
    for (const auto& named : instances_)
        split_families(named.draft.object, loaded.config.instances);
    for (const auto& named : trackers_)
        loaded.config.trackers.push_back(named.draft.object);
    std::ranges::sort(loaded.config.instances, {}, &Instance::name);
    std::ranges::sort(loaded.config.trackers, {}, &Tracker::name);
    resolve_groups(loaded.config);
    loaded.config.announce_groups = announce_groups_;
    loaded.config.mail = mail_;
    loaded.config.virtual_servers = std::move(virtual_servers_);
    loaded.config.ipvs = ipvs_;
    loaded.config.log_unknown_vrids = log_unknown_vrids_;
    add_origins(loaded);
    loaded.origins.sources = std::move(sources_);
    return loaded;
}

void Load::add_origins(Loaded& loaded) const {
    const auto add_all = [&](std::string_view section, const auto& objects) {
        for (const auto& named : objects) {
            const auto path = fmt::format("{}/{}", section, named.name);
            loaded.origins.places.emplace(path, named.mark);
            for (const auto& [word, given] : named.draft.given)
                loaded.origins.places.emplace(fmt::format("{}/{}", path, word), given.value);
        }
    };
    add_all("instances", instances_);
    add_all("trackers", trackers_);
    add_all("sync_groups", groups_);
    for (const auto& named : instances_) {
        const auto at = named.draft.given.find("priority");
        if (at == named.draft.given.end() || !at->second.node->is_map()) continue;
        for (const auto& entry : at->second.node->entries)
            if (const auto value = Number<Priority>{1, 255}.parse(entry.value))
                loaded.origins.priorities[named.name].emplace(entry.key, *value);
    }
}

std::optional<Loaded> Load::run() {
    read_files();
    settle_node_name();
    read_defaults();
    read_trackers();
    read_instances();
    read_groups();
    announce_groups_ = read_announce_groups(context_, sections_.objects("announce_groups"));
    read_statics();
    read_servers();
    read_mail();
    if (const auto* entry = sections_.single("log_unknown_vrids"))
        read_scalar(context_, "log_unknown_vrids", entry->value, Flag{}, [this](bool on) { log_unknown_vrids_ = on; });
    if (problems_.failed()) return std::nullopt;
    return finish();
}

std::expected<Loaded, std::vector<Diagnostic>> load_files(const Request& request) {
    OverlayMerge none;
    Load load{request, none};
    if (auto loaded = load.run()) return std::move(*loaded);
    return std::unexpected{load.problems().diagnostics(load.sources())};
}

/// With as much of the overlays as there can be; each attempt says what can't.
Loaded load_all(const Request& request, Loaded without) {
    OverlayMerge overlays;
    for (;;) {
        Load load{request, overlays};
        auto loaded = load.run();
        if (loaded) {
            without = std::move(*loaded);
            break;
        }
        if (overlays.leave_out(load.problems(), load.sources())) continue;
        overlays.leave_out_all(load.problems().diagnostics(load.sources()).front());
        break;
    }
    without.left_out = overlays.left_out();
    return without;
}

} // namespace

std::expected<Loaded, std::vector<Diagnostic>> load(const Request& request) {
    auto files = request;
    std::erase_if(files.files, [](const Source& source) { return source.origin != model::Origin::file; });
    // By themselves first: what was added goes with the host, and must not be what makes them valid.
    auto loaded = load_files(files);
    if (!loaded || files.files.size() == request.files.size()) return loaded;
    return load_all(request, std::move(*loaded));
}

} // namespace holdfast::config
