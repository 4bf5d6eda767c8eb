#include "bus/polkit.hpp"

#include <fmt/format.h>

namespace holdfast::bus {
namespace {

constexpr auto name = "org.freedesktop.PolicyKit1", path = "/org/freedesktop/PolicyKit1/Authority",
               authority = "org.freedesktop.PolicyKit1.Authority";

std::string ticket(std::uint64_t number) {
    return fmt::format("holdfast-{}", number);
}

Message authority_call(sd_bus* bus, const char* member) {
    sd_bus_message* made = nullptr;
    if (bus != nullptr) sd_bus_message_new_method_call(bus, &made, name, path, authority, member);
    return Message{made};
}

Verdict read(sd_bus_message* answer) {
    using Kind = Verdict::Kind;
    if (answer == nullptr) return {Kind::silent, "the bus has gone"};
    if (const auto* error = sd_bus_message_get_error(answer))
        return {Kind::silent, error->message != nullptr ? error->message : error->name};
    int authorized = 0, challenge = 0;
    if (sd_bus_message_enter_container(answer, 'r', "bba{ss}") < 0 ||
        sd_bus_message_read(answer, "bb", &authorized, &challenge) < 0)
        return {Kind::silent, "its answer can't be read"};
    return {authorized != 0 ? Kind::yes : challenge != 0 ? Kind::challenge : Kind::no, {}};
}

} // namespace

void Polkit::ask(const Question& question, bool person, Then then) {
    constexpr std::uint32_t allow_user_interaction = 1;
    const auto cancellation = person ? ticket(question.number) : std::string{};
    const std::string action{action_id(question.action)};
    auto call = authority_call(connection_.bus(), "CheckAuthorization");
    const bool complete =
        call &&
        sd_bus_message_append(call.get(), "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s",
                              question.caller.c_str(), action.c_str(), 2, "object", question.object.c_str(), "method",
                              question.method.c_str(), person ? allow_user_interaction : 0U, cancellation.c_str()) >= 0;
    if (!complete) call.reset();
    connection_.ask(std::move(call), person ? typing_limit : answer_limit,
                    [this, question, person, then = std::move(then)](sd_bus_message* answer) {
                        auto verdict = read(answer);
                        // It wanted a password before: a wrong one is none.
                        if (verdict.kind == Verdict::Kind::no && person) verdict.kind = Verdict::Kind::challenge;
                        if (verdict.kind == Verdict::Kind::challenge && question.interactive && !person)
                            return ask(question, true, then);
                        if (verdict.kind == Verdict::Kind::silent && person) take_back(question.number);
                        then(verdict);
                    });
}

void Polkit::take_back(std::uint64_t number) {
    auto call = authority_call(connection_.bus(), "CancelCheckAuthorization");
    if (call && sd_bus_message_append(call.get(), "s", ticket(number).c_str()) >= 0 &&
        sd_bus_message_set_expect_reply(call.get(), 0) >= 0)
        sd_bus_send(connection_.bus(), call.get(), nullptr);
}

} // namespace holdfast::bus
