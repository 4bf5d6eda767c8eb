#include "bus/gate.hpp"

#include "bus/names.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <unistd.h>
#include <utility>

namespace holdfast::bus {
namespace {

Time now() {
    timespec at{};
    ::clock_gettime(CLOCK_MONOTONIC, &at);
    return Time{std::chrono::seconds{at.tv_sec} + Duration{at.tv_nsec}};
}

std::string text(const char* word) {
    return word != nullptr ? word : "";
}

/// What a call is about: itself, or the property that it sets.
struct Target {
    std::string interface, member;
    bool is_property{false};
    std::string name() const { return interface + "." + member; }
};

Target target_of(sd_bus_message* call) {
    if (sd_bus_message_is_method_call(call, "org.freedesktop.DBus.Properties", "Set") <= 0)
        return {text(sd_bus_message_get_interface(call)), text(sd_bus_message_get_member(call))};
    const char *interface = nullptr, *property = nullptr;
    const bool read = sd_bus_message_read(call, "ss", &interface, &property) > 0;
    Target target{read ? text(interface) : "", read ? text(property) : "", true};
    sd_bus_message_rewind(call, 1);
    return target;
}

Refusal no_rule(const Target& target) {
    if (target.is_property)
        return {error_read_only, fmt::format("{} is not a property that can be set: busctl introspect shows which are "
                                             "writable",
                                             target.name())};
    return {error_unknown_method,
            fmt::format("holdfastd answers to no method {}: busctl introspect shows those it has", target.name())};
}

Refusal too_often(const Target& target, Duration wait) {
    return {error_limits_exceeded,
            fmt::format("too many calls, the last of them {}: this caller may go on in {} ms", target.name(),
                        std::chrono::ceil<std::chrono::milliseconds>(wait).count())};
}

constexpr std::size_t most_bytes = 4096; ///< a reason for maintenance is the longest that anybody may say

/// Counts what is left of a message, or of the container that is entered, and stops when it is too much.
bool count(sd_bus_message* message, std::size_t& bytes) {
    for (;;) {
        char type = 0;
        const char* contents = nullptr;
        const int more = sd_bus_message_peek_type(message, &type, &contents);
        if (more <= 0) return more == 0;
        bytes += sizeof(std::uint64_t);
        if (type == 'a' || type == 'v' || type == 'r' || type == 'e') {
            const std::string inner = text(contents);
            if (sd_bus_message_enter_container(message, type, inner.c_str()) < 0 || !count(message, bytes) ||
                sd_bus_message_exit_container(message) < 0)
                return false;
        } else if (type == 's' || type == 'o' || type == 'g') {
            const char* string = nullptr;
            if (sd_bus_message_read_basic(message, type, &string) < 0) return false;
            bytes += std::strlen(string);
        } else if (sd_bus_message_skip(message, std::string(1, type).c_str()) < 0) {
            return false;
        }
        if (bytes > most_bytes) return false;
    }
}

/// Such a call may wait for minutes, in our memory.
bool is_small(sd_bus_message* call) {
    std::size_t bytes = 0;
    const bool small = count(call, bytes);
    sd_bus_message_rewind(call, 1);
    return small;
}

constexpr auto sudo = "run it with sudo";

Refusal not_root_on_socket(const Question& asked) {
    return {error_access_denied, fmt::format("{} needs {}, and on the private socket only root has it: {}, or use the "
                                             "system bus, where polkit decides",
                                             asked.method, action_id(asked.action), sudo)};
}

Refusal refused(const Question& asked, uid_t user, const Verdict& verdict) {
    const auto needs = fmt::format("{} needs {}", asked.method, action_id(asked.action));
    switch (verdict.kind) {
    case Verdict::Kind::silent:
        return {error_access_denied, fmt::format("{}, and polkit does not decide it ({}), so only root may: {}", needs,
                                                 verdict.reason, sudo)};
    case Verdict::Kind::challenge:
        if (!asked.interactive)
            return {error_interaction_required,
                    fmt::format("{}, for which polkit wants a password, and this call does not let it ask: use "
                                "holdfastctl at a terminal, where pkttyagent(1) asks, or {}",
                                needs, sudo)};
        return {
            error_access_denied,
            fmt::format("{}, and nobody has given user {} the password for it: try again, or {}", needs, user, sudo)};
    default:
        return {error_access_denied, fmt::format("{}, and polkit denies it to user {}: allow it by a rule (example: "
                                                 "/usr/share/doc/holdfast/holdfast.rules), or {}",
                                                 needs, user, sudo)};
    }
}

} // namespace

Gate::Gate(Connection& connection, const PrivateSocket& private_socket, Witness witness)
    : connection_{connection}, private_{private_socket}, witness_{std::move(witness)}, polkit_{connection} {}

void Gate::decide(sd_bus_message* call, const std::string& caller, Exchange::Then then) {
    const auto target = target_of(call);
    const auto* rule = target.is_property ? property_rule(target.interface, target.member)
                                          : method_rule(target.interface, target.member);
    if (rule == nullptr) return then({no_rule(target)});
    if (const auto wait = limiter_.take(caller, rule->cost, now())) return then({too_often(target, *wait)});
    if (rule->action == Action::look) {
        // Whoever waits for answers cannot ask faster than we answer; who does not wait has no use for them.
        if (sd_bus_message_get_expect_reply(call) <= 0)
            return then({Refusal{error_invalid_args, "nobody waits for it"}});
        return then({std::nullopt, true});
    }
    if (!is_small(call))
        return then({Refusal{error_limits_exceeded,
                             fmt::format("{}: its arguments are longer than {} bytes, which no call of it needs",
                                         target.name(), most_bytes)}});
    ask_user({++last_number_, caller, rule->action, sd_bus_message_get_allow_interactive_authorization(call) > 0,
              text(sd_bus_message_get_path(call)), target.name()},
             std::move(then));
}

void Gate::ask_user(Question question, Exchange::Then then) {
    if (PrivateSocket::is_caller(question.caller)) {
        const auto user = private_.user_of(question.caller);
        const bool may = user && (*user == 0 || *user == ::geteuid());
        witness_(may, fmt::format("{} by user {} on the private socket", question.method, user.value_or(65534)));
        return then({may ? std::nullopt : std::optional{not_root_on_socket(question)}});
    }
    if (waiting_.size() >= most)
        return then({Refusal{
            error_limits_exceeded,
            fmt::format("{}: too many calls wait to be authorised: try again when one is answered", question.method)}});
    const auto number = question.number;
    const auto caller = question.caller;
    waiting_.emplace(number, Waiting{std::move(question), std::move(then), {}});
    connection_.ask_user(caller, [this, number](std::optional<uid_t> user) { learnt_user(number, user); });
}

void Gate::learnt_user(std::uint64_t number, std::optional<uid_t> user) {
    const auto at = waiting_.find(number);
    if (at == waiting_.end()) return;
    if (!user) return finish(number, Refusal{error_access_denied, "the bus does not know who calls"});
    if (*user == 0) return finish(number, std::nullopt);
    if (!polkit_has_room(*user))
        return finish(number, Refusal{error_limits_exceeded,
                                      fmt::format("{}: too many calls of user {} wait for polkit: try again when one "
                                                  "is answered",
                                                  at->second.question.method, *user)});
    at->second.user = user;
    polkit_.ask(at->second.question, [this, number](const Verdict& verdict) { learnt_verdict(number, verdict); });
}

void Gate::learnt_verdict(std::uint64_t number, const Verdict& verdict) {
    const auto at = waiting_.find(number);
    if (at == waiting_.end()) return; // the caller has gone
    if (verdict.kind == Verdict::Kind::yes) return finish(number, std::nullopt);
    finish(number, refused(at->second.question, *at->second.user, verdict));
}

void Gate::finish(std::uint64_t number, std::optional<Refusal> refusal) {
    const auto found = waiting_.extract(number);
    const auto& [question, then, user] = found.mapped();
    witness_(!refusal, fmt::format("{} on {} by user {} ({}){}", question.method, question.object, user.value_or(0),
                                   question.caller, refusal ? ": " + refusal->text : ""));
    then({std::move(refusal)});
}

void Gate::gone(const std::string& caller) {
    caller.empty() ? limiter_.forget_all() : limiter_.forget(caller);
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        if (!caller.empty() && at->second.question.caller != caller) {
            ++at;
            continue;
        }
        if (at->second.user && !caller.empty()) polkit_.take_back(at->first);
        at = waiting_.erase(at);
    }
}

bool Gate::polkit_has_room(uid_t user) const {
    const auto there = std::ranges::count_if(waiting_, [](const auto& each) { return each.second.user.has_value(); });
    const auto of_user = std::ranges::count_if(waiting_, [user](const auto& each) { return each.second.user == user; });
    return std::cmp_less(there, most_at_polkit) && std::cmp_less(of_user, most_of_user_at_polkit);
}

} // namespace holdfast::bus
