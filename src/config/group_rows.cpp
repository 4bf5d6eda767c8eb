// The directives of a sync group.
#include "base/text.hpp"
#include "config/foreign.hpp"
#include "config/list.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::Group;

/// A name in the list, if an instance of this name exists.
std::optional<std::string> member(Context& context, const Node& node) {
    if (!node.is_scalar()) {
        complain(context, "an entry of instances", node, must_be("the name of an instance", node));
        return std::nullopt;
    }
    if (std::ranges::find(context.instances, node.text) != context.instances.end()) return node.text;
    const auto slip = nearest(node.text, context.instances);
    context.problems.error(node.mark, fmt::format("there is no instance {}", in_quotes(node.text)),
                           slip                        ? fmt::format("did you mean '{}'?", *slip)
                           : context.instances.empty() ? "describe it under 'instances:'"
                                                       : fmt::format("there is {}", some(context.instances)));
    return std::nullopt;
}

std::optional<Mark> read_members(Context& context, const Node& node, Group& group) {
    if (!node.is_list()) {
        complain(context, "instances", node, must_be("a list of instance names", node));
        return std::nullopt;
    }
    bool fine = true;
    std::vector<std::string> result;
    for (const auto& item : node.items) {
        auto name = member(context, item);
        fine = fine && name;
        if (!name) continue;
        if (std::ranges::find(result, *name) != result.end()) {
            context.problems.error(item.mark, fmt::format("instance '{}' is named twice", *name), "keep one of them");
            fine = false;
        }
        result.push_back(std::move(*name));
    }
    if (!fine) return std::nullopt;
    group.instances = std::move(result);
    return node.mark;
}

/// As the file names them: a pair is one object there.
std::string write_members(const Group& group) {
    std::vector<std::string> names;
    for (const auto& instance : group.instances)
        if (const auto name = yaml_text(model::object_name(instance)); names.empty() || names.back() != name)
            names.push_back(name);
    return "[" + join(names, ", ") + "]";
}

std::vector<Directive<Group>> rows() {
    return {
        Directive<Group>{
            .word = "instances",
            .shape = Shape::list,
            .reload = model::Reload::live,
            .values = "a list of instance names",
            .help =
                "Who is master together or not at all; the first one decides when two hosts have the same priority.",
            .read = read_members,
            .write = [](const Group& group, Secrets) { return std::optional{write_members(group)}; }}
            .must_be_given(),
        Directive<Group>{.word = "track",
                         .shape = Shape::list,
                         .reload = model::Reload::live,
                         .values = "as in an instance",
                         .help = "What every member depends on, beside its own trackers.",
                         .read = reads<&Group::track>(read_track),
                         .write = [](const Group& group, Secrets) { return std::optional{write_track(group.track)}; }},
        Directive<Group>{.word = "notify",
                         .shape = Shape::map,
                         .reload = model::Reload::live,
                         .values = "as in an instance, without lower_advert and the hooks",
                         .help = "Scripts, mail, a FIFO and units that follow the state of the group.",
                         .read = reads<&Group::notify>([](Context& context, const Node& node) {
                             return read_notify(context, node, NotifyOf::group);
                         }),
                         .write = [](const Group& group, Secrets) -> std::optional<std::string> {
                             if (group.notify == model::Notify{}) return std::nullopt;
                             return write_notify(group.notify);
                         }},
    };
}

} // namespace

std::span<const Directive<Group>> group_directives() {
    static const auto all = rows();
    return all;
}

} // namespace holdfast::config
