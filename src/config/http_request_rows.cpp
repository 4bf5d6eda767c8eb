// The directives of one request of an HTTP check.
#include "config/http_request_rows.hpp"

#include "config/check_types.hpp"
#include "model/check_limits.hpp"

#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::BodyPattern;
using model::HttpRequest;
using model::Reload;

std::optional<std::vector<model::StatusRange>> read_statuses(Context& context, const Node& node) {
    if (!node.is_list() || node.items.empty() || node.items.size() > model::max_ranges) {
        complain(
            context, "status", node,
            must_be(fmt::format("a list of 1 to {} statuses", model::max_ranges), node, "write status: [200-299]"));
        return std::nullopt;
    }
    std::vector<model::StatusRange> result;
    for (const auto& item : node.items) {
        const auto range = parse_status(item);
        if (!range) complain(context, "an entry of status", item, range.error());
        if (!range) return std::nullopt;
        result.push_back(*range);
    }
    return result;
}

std::string write_statuses(const std::vector<model::StatusRange>& ranges) {
    std::vector<std::string> out;
    for (const auto& range : ranges)
        out.push_back(print(range));
    return "[" + join(out, ", ") + "]";
}

std::vector<Directive<BodyPattern>> body_rows() {
    return {
        item_row<BodyPattern, &BodyPattern::regex>("regex", Text{check_plain_text, "a regular expression (PCRE2)"},
                                                   "The body has to match it.")
            .must_be_given(),
        item_row<BodyPattern, &BodyPattern::absent>("absent", Flag{}, "The body must not match."),
        item_row<BodyPattern, &BodyPattern::caseless>("caseless", Flag{},
                                                      "A letter is the same in upper and lower case."),
        item_row<BodyPattern, &BodyPattern::multiline>("multiline", Flag{}, "^ and $ match at every line."),
        item_row<BodyPattern, &BodyPattern::dotall>("dotall", Flag{}, "A dot matches a newline too."),
        item_row<BodyPattern, &BodyPattern::extended>("extended", Flag{},
                                                      "White space and comments in the pattern do not count."),
        item_row<BodyPattern, &BodyPattern::min_offset>("min_offset", Number<std::uint32_t>{0, 1'048'576},
                                                        "The match begins at this byte of the body, at least."),
        item_row<BodyPattern, &BodyPattern::max_offset>("max_offset", Number<std::uint32_t>{0, 1'048'576},
                                                        "And at this one, at most.", "anywhere"),
    };
}

std::span<const Directive<BodyPattern>> body_directives() {
    static const auto all = body_rows();
    return all;
}

std::optional<BodyPattern> read_body(Context& context, const Node& node) {
    if (node.is_scalar()) {
        const auto regex = check_plain_text(node);
        if (!regex) complain(context, "body", node, regex.error());
        if (!regex) return std::nullopt;
        BodyPattern pattern;
        pattern.regex = *regex;
        return pattern;
    }
    if (!node.is_map()) {
        complain(context, "body", node, must_be("a regular expression, or a map {regex: ...}", node));
        return std::nullopt;
    }
    return read_item<BodyPattern>(context, node, body_directives(), {}, "body", [&](const Draft<BodyPattern>& draft) {
        if (draft.object.max_offset && *draft.object.max_offset < draft.object.min_offset)
            context.problems.error(draft.place("max_offset", node.mark), "max_offset is less than min_offset",
                                   "exchange them");
    });
}

std::vector<Directive<HttpRequest>> request_rows() {
    return {
        item_row<HttpRequest, &HttpRequest::path>("path", Text{check_http_path, "a path that begins with '/'"},
                                                  "What is asked for."),
        Directive<HttpRequest>{
            .word = "status",
            .shape = Shape::list,
            .reload = Reload::live,
            .values = "a list of statuses and ranges",
            .help = "The status of a good answer.",
            .read = reads<&HttpRequest::status>(read_statuses),
            .write = [](const HttpRequest& r, Secrets) { return std::optional{write_statuses(r.status)}; }},
        item_row<HttpRequest, &HttpRequest::digest>("digest", DigestText{}, "Of the whole body of a good answer.",
                                                    "not compared"),
        Directive<HttpRequest>{.word = "body",
                               .shape = Shape::map,
                               .reload = Reload::live,
                               .values = "a regular expression, or {regex: ..., absent: true, ...}",
                               .help = "What stands in the body of a good answer.",
                               .read = reads<&HttpRequest::body>(read_body),
                               .write = [](const HttpRequest& r, Secrets) -> std::optional<std::string> {
                                   if (!r.body) return std::nullopt;
                                   return write_item(body_directives(), *r.body);
                               }},
    };
}

} // namespace

std::span<const Directive<HttpRequest>> http_request_directives() {
    static const auto all = request_rows();
    return all;
}

std::optional<std::vector<HttpRequest>> read_requests(Context& context, std::string_view word, const Node& node) {
    if (node.is_scalar() || node.is_map()) {
        Node list{.kind = Node::Kind::list, .mark = node.mark, .text = {}, .items = {node}, .entries = {}};
        return read_requests(context, word, list);
    }
    if (!node.is_list() || node.items.empty() || node.items.size() > model::max_requests) {
        complain(context, word, node,
                 must_be(fmt::format("a path, or a list of 1 to {} requests", model::max_requests), node,
                         fmt::format("write {}: /health", word)));
        return std::nullopt;
    }
    std::vector<HttpRequest> result;
    bool fine = true;
    for (const auto& item : node.items) {
        if (item.is_map()) {
            auto request = read_item<HttpRequest>(context, item, http_request_directives(), {}, "a request",
                                                  [](const Draft<HttpRequest>&) {});
            fine = fine && request;
            if (request) result.push_back(std::move(*request));
            continue;
        }
        const auto path = check_http_path(item);
        if (!path) complain(context, word, item, path.error());
        fine = fine && path;
        if (path) result.push_back({.path = *path, .status = HttpRequest{}.status, .digest = {}, .body = {}});
    }
    if (!fine) return std::nullopt;
    return result;
}

std::string write_requests(const std::vector<HttpRequest>& requests) {
    std::vector<std::string> out;
    for (const auto& request : requests)
        out.push_back(write_item(http_request_directives(), request));
    return "[" + join(out, ", ") + "]";
}

} // namespace holdfast::config
