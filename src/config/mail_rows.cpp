// The directives of `mail:`. Invariant: a password goes over the wire only to a server that proved its name.
#include "config/item.hpp"
#include "config/list.hpp"
#include "config/secret_text.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace holdfast::config {
namespace {

using model::Mail;
using model::MailTls;

constexpr std::size_t longest_mailbox = 254; // RFC 5321 4.5.3.1.3, less the brackets
constexpr std::size_t most_recipients = 32;

struct TlsWord {
    using Value = MailTls;
    static constexpr std::array<std::string_view, 3> words{"opportunistic", "required", "off"};

    std::string values() const { return "opportunistic, required or off"; }
    Parsed<MailTls> parse(const Node& node) const {
        const auto* const at = std::ranges::find(words, std::string_view{node.text});
        if (!node.is_scalar() || at == words.end()) return std::unexpected{must_be(values(), node)};
        return static_cast<MailTls>(at - words.begin());
    }
    std::string print(MailTls tls) const { return std::string{words[static_cast<std::size_t>(tls)]}; }
};

/// LOCAL@DOMAIN, in the form that needs no quotes (RFC 5321 4.1.2, Dot-string).
Parsed<std::string> check_mailbox(const Node& node) {
    const auto legal = [](char c) {
        constexpr std::string_view others = ".!#$%&'*+-/=?^_`{|}~@";
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               others.find(c) != others.npos;
    };
    const auto& text = node.text;
    const bool fine = node.is_scalar() && text.size() <= longest_mailbox && std::ranges::count(text, '@') == 1 &&
                      !text.starts_with('@') && !text.ends_with('@') && !text.starts_with('-') &&
                      std::ranges::all_of(text, legal);
    if (fine) return text;
    const bool has_name = node.is_scalar() && text.find('<') != text.npos;
    return std::unexpected{
        must_be("a mail address like admin@example.org", node, has_name ? "write the address alone" : "")};
}

std::optional<Mark> read_recipients(Context& context, const Node& node, Mail& mail) {
    if (!node.is_list() || node.items.empty()) {
        const auto hint =
            node.is_scalar() && node.text.find('@') != std::string::npos ? fmt::format("write [{}]", node.text) : "";
        complain(context, "to", node, must_be("a list of mail addresses", node, hint));
        return std::nullopt;
    }
    if (node.items.size() > most_recipients) {
        complain(context, "to", node,
                 {fmt::format("has more than {} addresses", most_recipients), "use a mailing list"});
        return std::nullopt;
    }
    std::vector<std::string> result;
    for (const auto& item : node.items) {
        auto one = check_mailbox(item);
        if (!one) complain(context, "an address of to", item, one.error());
        if (one) result.push_back(std::move(*one));
    }
    if (result.size() < node.items.size()) return std::nullopt;
    mail.to = std::move(result);
    return node.mark;
}

std::optional<Mark> read_login(Context& context, const Node& node, Mail& mail) {
    if (!node.is_map()) {
        context.problems.error(node.mark, "login must be a map", "write login: {user: NAME, credential: NAME}");
        return std::nullopt;
    }
    const auto before = context.problems.count();
    for (const auto& entry : node.entries)
        if (entry.key != "user" && std::ranges::find(secret_words, std::string_view{entry.key}) == secret_words.end())
            context.problems.error(entry.mark, "this is not a directive of login",
                                   "there is user, credential, file and password");
    model::MailLogin login;
    const auto* const user = node.find("user");
    if (!user)
        context.problems.error(node.mark, "login has no user", "add user: NAME");
    else if (!user->value.is_scalar() || user->value.text.empty() || user->value.text.size() > longest_mailbox)
        complain(context, "user of login", user->value, must_be("a name", user->value));
    else
        login.user = user->value.text;
    if (context.problems.count() != before) return std::nullopt;
    auto password = read_secret_text(context, node, "login", false);
    if (!password) return std::nullopt;
    login.password = std::move(password->text);
    mail.login = std::move(login);
    return node.mark;
}

std::string write_login(const model::MailLogin& login, Secrets secrets) {
    return fmt::format("{{user: {}, password: {}}}", yaml_text(login.user),
                       secrets == Secrets::hide ? "\"********\"" : yaml_text(login.password));
}

std::vector<Directive<Mail>> rows() {
    return {
        item_row<Mail, &Mail::server>("server", Text{check_mail_server, "smtp://HOST[:PORT] or smtps://HOST[:PORT]"},
                                      "Who takes the mail; without a port 25, or 465 for smtps.")
            .must_be_given(),
        item_row<Mail, &Mail::from>("from", Text{check_mailbox, "a mail address"}, "Who it comes from.")
            .must_be_given(),
        Directive<Mail>{.word = "to",
                        .shape = Shape::list,
                        .reload = model::Reload::live,
                        .values = "a list of mail addresses",
                        .help = "Who gets it.",
                        .read = read_recipients,
                        .write = [](const Mail& mail, Secrets) { return std::optional{write_words(mail.to)}; }}
            .must_be_given(),
        item_row<Mail, &Mail::tls>(
            "tls", TlsWord{},
            "STARTTLS for smtp: when offered, whoever the server is; required, and the server proves its "
            "name; or never. smtps is always encrypted and verified."),
        Directive<Mail>{.word = "login",
                        .shape = Shape::map,
                        .reload = model::Reload::live,
                        .values = "{user: NAME, credential: NAME} (or file, or password)",
                        .help = "Where the server wants to know who sends.",
                        .read = read_login,
                        .write = [](const Mail& mail, Secrets secrets) -> std::optional<std::string> {
                            if (!mail.login) return std::nullopt;
                            return write_login(*mail.login, secrets);
                        },
                        .default_text = "none"},
        item_row<Mail, &Mail::ca_file>("ca_file", Text{check_path, "a path"}, "Certificates that are trusted (PEM).",
                                       "the system's"),
        item_row<Mail, &Mail::hello>("hello", Text{check_object_name, "a host name"}, "What this host calls itself.",
                                     "`node_name`"),
        item_row<Mail, &Mail::timeout>("timeout", Span{1s, 5min}, "The most that one attempt takes."),
        item_row<Mail, &Mail::retry_for>("retry_for", Span{1min, std::chrono::hours{24 * 7}, true},
                                         "How long a message that can't be delivered is tried again; 0s: never."),
    };
}

} // namespace

std::span<const Directive<Mail>> mail_directives() {
    static const auto all = rows();
    return all;
}

std::optional<Mail> read_mail(Context& context, const Node& node) {
    if (!node.is_map()) {
        complain(context, "'mail'", node, must_be("a map of directives", node));
        return std::nullopt;
    }
    return read_item<Mail>(context, node, mail_directives(), {}, "'mail'", [&](const Draft<Mail>& draft) {
        const auto& mail = draft.object;
        const bool proven = mail.server.starts_with("smtps:") || mail.tls == MailTls::required;
        if (mail.login && !proven)
            context.problems.error(draft.place("login", node.mark),
                                   "login would show its password to any server that answers",
                                   "add tls: required, or use smtps://");
        if (mail.server.starts_with("smtps:") && draft.has("tls"))
            context.problems.error(draft.place("tls", node.mark), "tls is about STARTTLS, and smtps has none",
                                   "remove it");
    });
}

} // namespace holdfast::config
