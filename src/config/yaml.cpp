#include "config/yaml.hpp"

#include "config/secret.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <sstream>
#include <unordered_map>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace holdfast::config {
namespace {

constexpr std::string_view anchor_hint = "write the value out; what all instances share goes under 'defaults:'";

constexpr std::size_t most_problems = 1000; // nobody mends more than these at once

/// Ends the parse after a complaint; stays inside this file, like the library's own exceptions.
struct Stop {};

/// Builds the tree from the library's events, which, unlike its nodes, have the place of every key and keep duplicates.
class Builder final : public YAML::EventHandler {
  public:
    Builder(Sources& sources, unsigned file, Problems& problems)
        : sources_{sources}, problems_{problems}, file_{file} {}

    Node take_root() { return std::move(root_); }
    bool value_is_secret() const {
        return secret_from_.line > 0 || (!frames_.empty() && awaits_secret(frames_.back()));
    }
    /// After the last event: a secret at the end reaches to the end of the file.
    void hide_the_rest() { close_secret({file_, static_cast<unsigned>(-1), 0}); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ == 1) return;
        problems_.error(place(mark), "the file goes on after the end of its YAML document",
                        "one file is one document: remove this part, or give it a file of its own in holdfast.yaml.d/");
        throw Stop{};
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        refuse_anchor(mark, anchor);
        add({.kind = Node::Kind::nothing, .mark = place(mark), .text = {}, .items = {}, .entries = {}});
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        problems_.error(place(mark), "aliases (*name) are not supported", std::string{anchor_hint});
        throw Stop{};
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& text) override {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        refuse_open_quote(place(mark));
        add({.kind = Node::Kind::scalar,
             .mark = place(mark),
             .text = text,
             .quoted = tag == "!",
             .items = {},
             .entries = {}});
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(Node::Kind::list, mark, tag, anchor);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(Node::Kind::map, mark, tag, anchor);
    }
    void OnMapEnd() override { close(); }

  private:
    struct Frame {
        Node node;
        Secrecy secrecy{Secrecy::open};
        bool has_key{false};
        bool bad_key{false};
        std::string key;
        Mark key_mark;
        std::unordered_map<std::string, Mark> seen{};
    };

    Mark place(const YAML::Mark& mark) const {
        return {file_, static_cast<unsigned>(std::max(0, mark.line)) + 1,
                static_cast<unsigned>(std::max(0, mark.column)) + 1};
    }

    void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (anchor != YAML::NullAnchor)
            problems_.error(place(mark), "anchors (&name) are not supported", std::string{anchor_hint});
    }
    void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        if (!tag.empty() && tag != "?" && tag != "!")
            problems_.error(place(mark), "tags (!name) are not supported",
                            "remove it: every directive knows its own type");
    }

    /// The library takes a quote that is still open at the end of the file for a closed one: a file cut short.
    void refuse_open_quote(Mark mark) {
        const auto rest = sources_.from(mark);
        if (rest.empty() || (rest[0] != '"' && rest[0] != '\'')) return;
        const char quote = rest[0];
        for (std::size_t at = 1; at < rest.size(); ++at) {
            if (rest[at] == quote) return; // '' inside '...' reads as an end and a new start, which ends as well
            if (rest[at] == '\\' && quote == '"') ++at;
        }
        problems_.error(mark, "this quote is not closed", "was the file written to the end?");
    }

    Secrecy secrecy_of_value(const Frame& frame) const {
        return frame.node.is_map() ? inner_secrecy(frame.secrecy, frame.key) : frame.secrecy;
    }
    /// An object may be called `keepass` without being a secret.
    Secrecy secrecy_inside(const Frame& frame, Node::Kind kind) const {
        const bool object = kind == Node::Kind::map && frames_.size() == 2 && frames_[0].key != "defaults";
        return object ? Secrecy::open : secrecy_of_value(frame);
    }
    bool awaits_secret(const Frame& frame) const {
        return (frame.node.is_map() ? frame.has_key : true) && secrecy_of_value(frame) != Secrecy::open;
    }

    void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        close_secret(place(mark));
        if (frames_.size() == deepest_nesting) {
            problems_.error(place(mark), fmt::format("the file nests more than {} levels deep", deepest_nesting));
            throw Stop{};
        }
        Frame frame{};
        frame.node.kind = kind;
        frame.node.mark = place(mark);
        if (!frames_.empty()) frame.secrecy = secrecy_inside(frames_.back(), kind);
        frames_.push_back(std::move(frame));
    }

    void close() {
        Node node = std::move(frames_.back().node);
        frames_.pop_back();
        add(std::move(node));
    }

    void add(Node node) {
        if (problems_.count() > most_problems) throw Stop{};
        if (++nodes_ > most_nodes) {
            problems_.error(node.mark, fmt::format("the file has more than {} values", most_nodes));
            throw Stop{};
        }
        const bool leaf = node.is_scalar() || node.kind == Node::Kind::nothing;
        if (leaf) close_secret(node.mark);
        if (frames_.empty()) {
            root_ = std::move(node);
            return;
        }
        auto& frame = frames_.back();
        if (frame.node.is_map() && !frame.has_key) return take_key(frame, std::move(node));
        if (node.is_scalar() && secrecy_of_value(frame) != Secrecy::open) secret_from_ = node.mark;
        if (frame.node.is_list()) {
            frame.node.items.push_back(std::move(node));
            return;
        }
        // The library has no useful place for a value that is not there.
        if (node.kind == Node::Kind::nothing) node.mark = frame.key_mark;
        if (!frame.bad_key) frame.node.entries.push_back({std::move(frame.key), frame.key_mark, std::move(node)});
        frame.has_key = false;
    }

    void take_key(Frame& frame, Node node) {
        frame.has_key = true;
        frame.bad_key = true;
        frame.key_mark = node.mark;
        frame.key = std::move(node.text);
        if (!node.is_scalar()) {
            problems_.error(node.mark, "a key must be a word", "to use a word like null as a name, put it in quotes");
            return;
        }
        if (is_secret_key(frame.secrecy, frame.key)) secret_from_ = node.mark;
        const auto [first, fresh] = frame.seen.emplace(frame.key, node.mark);
        frame.bad_key = !fresh;
        if (!fresh)
            problems_.error(node.mark, fmt::format("{} is given twice", in_quotes(frame.key)),
                            fmt::format("first given at {}; remove one of them", sources_.place(first->second)));
    }

    /// A secret reaches up to whatever comes next: no rule of YAML's many scalars needs to be known here.
    void close_secret(Mark next) {
        if (secret_from_.line > 0) sources_.hide(secret_from_, next);
        secret_from_ = {};
    }

    Sources& sources_;
    Problems& problems_;
    unsigned file_;
    unsigned documents_{0};
    std::size_t nodes_{0};
    Mark secret_from_;
    std::vector<Frame> frames_;
    Node root_;
};

Mark line_too_long(const Sources& sources, unsigned file) {
    std::size_t begin = 0;
    const auto text = sources.text(file);
    while (begin < text.size()) {
        const auto end = std::min(text.find('\n', begin), text.size());
        if (end - begin > longest_line) return sources.mark_at(file, begin);
        begin = end + 1;
    }
    return {};
}

/// The library holds every open bracket in memory before it tells us of the first one. Counts those in quotes and
/// comments too, which nobody has hundreds of.
Mark too_many_brackets(const Sources& sources, unsigned file) {
    const auto text = sources.text(file);
    unsigned open = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '[' || text[at] == '{') ++open;
        if ((text[at] == ']' || text[at] == '}') && open > 0) --open;
        if (open > most_open_brackets) return sources.mark_at(file, at);
    }
    return {};
}

/// Size and encoding: what is settled before the library sees a byte.
bool readable(const Sources& sources, unsigned file, Problems& problems) {
    const auto text = sources.text(file);
    const Mark whole{file, 0, 0};
    if (text.size() > largest_file) {
        problems.error(whole, fmt::format("the file has {} bytes; at most {} are read", text.size(), largest_file),
                       "is it the right file?");
        return false;
    }
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        problems.error(whole, "the file is empty", "was it written to the end?");
        return false;
    }
    if (text.find('\0') != std::string_view::npos) {
        problems.error(whole, "the file is not text: it contains NUL bytes", "save it as UTF-8");
        return false;
    }
    if (const auto bad = invalid_utf8(text)) {
        const auto mark = sources.mark_at(file, *bad);
        problems.error(whole,
                       fmt::format("the file is not UTF-8 text: byte {:#04x} at line {}, column {}",
                                   static_cast<unsigned char>(text[*bad]), mark.line, mark.column),
                       "save it as UTF-8");
        return false;
    }
    if (const auto mark = line_too_long(sources, file); mark.line > 0) {
        problems.error(whole, fmt::format("line {} has more than {} bytes", mark.line, longest_line),
                       "break it into several lines");
        return false;
    }
    if (const auto mark = too_many_brackets(sources, file); mark.line > 0) {
        problems.error(mark, fmt::format("more than {} brackets are open here", most_open_brackets),
                       "is it the right file?");
        return false;
    }
    return true;
}

struct Advice {
    std::string_view message;
    std::string_view hint;
};
/// What the library says, and what is usually behind it.
constexpr std::array advices{
    Advice{"illegal map value", "a value that contains ': ' needs quotes; a key needs a line of its own"},
    Advice{"end of map not found", "indent this line exactly like the other keys beside it"},
    Advice{"end of sequence not found", "indent this line exactly like the other '-' lines beside it"},
    Advice{"end of map flow not found", "a '{' is not closed with '}'"},
    Advice{"end of sequence flow not found", "a '[' is not closed with ']'"},
    Advice{"illegal EOF in scalar", "a quote is not closed, or the file was not written to the end"},
    Advice{"illegal document indicator in scalar", "a quote is not closed"},
};

std::string hint_for(const Sources& sources, Mark mark, std::string_view message) {
    const auto text = sources.text(mark.file);
    if (text.find("vrrp_instance") != std::string_view::npos &&
        text.find("virtual_router_id") != std::string_view::npos)
        return "this looks like a keepalived.conf; holdfast reads YAML, keepalived's form comes with a later version";
    const auto line = sources.line(mark);
    if (line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos)
        return "YAML does not allow tabs for indentation: use spaces";
    const auto advice = std::ranges::find(advices, message, &Advice::message);
    return advice == advices.end() ? "" : std::string{advice->hint};
}

void report(const YAML::Exception& exception, Sources& sources, unsigned file, Builder& builder, Problems& problems) {
    Mark mark{file, 0, 0};
    if (!exception.mark.is_null())
        mark = {file, static_cast<unsigned>(exception.mark.line) + 1, static_cast<unsigned>(exception.mark.column) + 1};
    // Where the library stopped, the tree does not say any more what is a secret: hide too much rather than too little.
    hide_suspicious_lines(sources, mark, builder.value_is_secret());
    problems.error(mark, "this is not valid YAML: " + exception.msg, hint_for(sources, mark, exception.msg));
}

} // namespace

std::optional<Node> parse_yaml(Sources& sources, unsigned file, Problems& problems) {
    if (!readable(sources, file, problems)) return std::nullopt;
    Problems found;
    Builder builder{sources, file, found};
    bool whole = true;
    try {
        std::istringstream stream{std::string{sources.text(file)}};
        YAML::Parser parser{stream};
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const Stop&) {
        whole = false;
    } catch (const YAML::Exception& exception) {
        report(exception, sources, file, builder, found);
        whole = false;
    }
    builder.hide_the_rest();
    whole = whole && !found.failed();
    problems.append(std::move(found));
    if (!whole) return std::nullopt;
    return builder.take_root();
}

} // namespace holdfast::config
