#include "config/directive.hpp"

#include "base/text.hpp"
#include "config/utf8.hpp"

#include <fmt/format.h>

namespace holdfast::config {

void complain(Context& context, std::string_view word, const Node& node, const Complaint& complaint) {
    context.problems.error(node.mark, fmt::format("{} {}", word, complaint.text), complaint.hint);
}

const Node* for_this_node(Context& context, std::string_view word, const Node& node,
                          const std::function<bool(const Node&)>& check) {
    if (!node.is_map()) return check(node) ? &node : nullptr;
    bool fine = true;
    std::vector<std::string> hosts;
    for (const auto& entry : node.entries) {
        if (!is_name(entry.key)) {
            context.problems.error(entry.mark, fmt::format("{} is not a host name, and {} is a value per host here",
                                                           in_quotes(entry.key), word));
            fine = false;
        } else if (entry.value.is_map()) {
            context.problems.error(entry.value.mark, fmt::format("{} needs one value per host, not a map", word));
            fine = false;
        } else {
            fine = check(entry.value) && fine;
        }
        hosts.push_back(printable(entry.key));
    }
    if (!fine) return nullptr;
    const auto* mine = node.find(context.node_name);
    if (!mine) mine = node.find("default");
    if (mine) return &mine->value;
    if (hosts.size() > 8) {
        hosts.resize(8);
        hosts.emplace_back("...");
    }
    context.problems.error(node.mark,
                           hosts.empty() ? fmt::format("{} has a map by host name with nothing in it", word)
                                         : fmt::format("{} has no value for this node, {}; it has {}", word,
                                                       in_quotes(context.node_name), join(hosts, ", ")),
                           "add this node, or 'default:' for every other one");
    return nullptr;
}

} // namespace holdfast::config
