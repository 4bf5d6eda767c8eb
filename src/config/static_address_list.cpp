// The list `static_addresses`: addresses of the daemon's own. Invariant: as list.hpp says; none of them is an instance's, too.
#include "base/text.hpp"
#include "config/address.hpp"
#include "config/check.hpp"
#include "config/item.hpp"
#include "config/list.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace holdfast::config {
namespace {

using model::StaticAddress;

constexpr std::size_t most = 10'000;

/// A row of addresses everywhere, of one that has no instance.
Directive<StaticAddress> widened(const Directive<model::VirtualAddress>& row) {
    Directive<StaticAddress> result;
    result.word = row.word;
    result.shape = row.shape;
    result.reload = row.reload;
    result.values = row.values;
    result.help = row.help;
    result.read = [read = row.read](Context& context, const Node& node, StaticAddress& address) {
        return read(context, node, address);
    };
    result.write = [write = row.write](const StaticAddress& address, Secrets secrets) {
        return write(address, secrets);
    };
    result.required = row.required;
    result.default_text = row.default_text;
    if (row.word == "interface") {
        result.required = true;
        result.help = "The link that it is on; lo for one that only this host itself knows.";
    }
    return result;
}

std::vector<Directive<StaticAddress>> rows() {
    std::vector<Directive<StaticAddress>> result;
    for (const auto& row : address_directives())
        if (row.word != "track") result.push_back(widened(row));
    result.push_back(item_row<StaticAddress, &StaticAddress::track_group>(
        "track_group", Text{check_object_name, "the name of a sync group"},
        "While the address can't be there, this sync group is in fault.", "none"));
    return result;
}

std::optional<StaticAddress> read_one(Context& context, const Node& node, const std::vector<std::string>& groups) {
    if (!node.is_map()) {
        complain(context, "an entry of static_addresses", node,
                 must_be("a map", node, "write {address: 192.0.2.10/32, interface: lo}"));
        return std::nullopt;
    }
    const auto check = [&](const Draft<StaticAddress>& draft) {
        const auto& address = draft.object;
        check_address_options(context, Draft<model::VirtualAddress>{address, draft.given});
        const auto error = [&](std::string_view word, const std::string& text, std::string hint) {
            context.problems.error(draft.place(word, node.mark), text, std::move(hint));
        };
        if (const auto why = unusable(address, true); !why.text.empty())
            error("address", fmt::format("{} {}", to_string(address.prefix()), why.text), why.hint);
        const auto& group = address.track_group;
        if (group.empty() || std::ranges::find(groups, group) != groups.end()) return;
        const auto slip = nearest(group, groups);
        error("track_group", fmt::format("there is no sync group '{}'", group),
              slip ? fmt::format("did you mean '{}'?", *slip) : "describe it under 'sync_groups:'");
    };
    return read_item<StaticAddress>(context, node, static_address_directives(), foreign_address_words(),
                                    "an entry of static_addresses", check);
}

} // namespace

std::span<const Directive<StaticAddress>> static_address_directives() {
    static const auto all = rows();
    return all;
}

std::optional<std::vector<StaticAddress>> read_static_addresses(Context& context, const Node& node,
                                                                const std::vector<std::string>& groups) {
    if (!node.is_list() || node.items.size() > most) {
        complain(context, "static_addresses", node,
                 must_be(fmt::format("a list of at most {} addresses", most), node,
                         "write [{address: 192.0.2.10/32, interface: lo}]"));
        return std::nullopt;
    }
    bool fine = true;
    std::vector<StaticAddress> result;
    std::map<std::pair<std::string, IpAddress>, Mark> seen;
    for (const auto& item : node.items) {
        auto address = read_one(context, item, groups);
        fine = fine && address;
        if (!address) continue;
        const auto [first, fresh] = seen.emplace(std::pair{address->interface, address->address}, item.mark);
        if (!fresh)
            context.problems.error(item.mark, fmt::format("{} is given twice", to_string(address->address)),
                                   fmt::format("first given at {}", context.sources.place(first->second)));
        fine = fine && fresh;
        result.push_back(std::move(*address));
    }
    if (!fine) return std::nullopt;
    return result;
}

std::string write_static_addresses(const std::vector<StaticAddress>& addresses) {
    std::vector<std::string> words;
    for (const auto& address : addresses)
        words.push_back(write_item(static_address_directives(), address));
    return "[" + join(words, ", ") + "]";
}

void check_static_addresses(Context& context, const std::vector<StaticAddress>& addresses, Mark mark,
                            const std::vector<Named<model::Instance>>& instances) {
    for (const auto& named : instances)
        for (const auto* list : {&named.draft.object.addresses, &named.draft.object.excluded_addresses})
            for (const auto& theirs : *list) {
                const auto& link = theirs.interface.empty() ? named.draft.object.interface : theirs.interface;
                const auto same = [&](const StaticAddress& ours) {
                    return ours.interface == link && ours.address == theirs.address;
                };
                if (std::ranges::any_of(addresses, same))
                    context.problems.error(mark,
                                           fmt::format("{} on {} is an address of instance '{}', too",
                                                       to_string(theirs.address), link, named.name),
                                           "keep it in one place: on the master alone, or here always");
            }
}

} // namespace holdfast::config
