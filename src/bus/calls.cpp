#include "bus/calls.hpp"

#include "base/text.hpp"
#include "bus/names.hpp"

namespace holdfast::bus {

void Calls::instance(engine::InstanceCommand command, Answer answer) {
    admit(std::move(answer),
          [command = std::move(command)](std::uint64_t id) { return CommandReceived{engine::Commanded{id, command}}; });
}

void Calls::server(engine::ServerCommand command, Answer answer) {
    admit(std::move(answer), [command = std::move(command)](std::uint64_t id) {
        return ServerCommandReceived{engine::ServerCommanded{id, command}};
    });
}

void Calls::reload(Answer answer) {
    admit(std::move(answer), [](std::uint64_t id) { return ReloadRequested{id}; });
}

void Calls::maintenance(std::optional<std::string> reason, Answer answer) {
    admit(std::move(answer),
          [reason = std::move(reason)](std::uint64_t id) { return MaintenanceRequested{id, reason}; });
}

void Calls::change(model::ServerChange change, Answer answer) {
    admit(std::move(answer),
          [change = std::move(change)](std::uint64_t id) { return ServerChangeRequested{id, change}; });
}

void Calls::admit(Answer answer, const std::function<ToLoop(std::uint64_t)>& ask_loop) {
    if (waiting_.size() >= most)
        return answer({error_busy, "too many calls wait for an answer already: try again when one has come", {}});
    const auto id = next_id_++;
    waiting_.emplace(id, std::move(answer));
    tell_loop_(ask_loop(id));
}

void Calls::finish(std::uint64_t id, const Outcome& outcome) {
    auto call = waiting_.extract(id);
    if (!call.empty()) call.mapped()(outcome);
}

void Calls::answer(const engine::Reply& reply) {
    finish(reply.command, {reply.error ? error_name(*reply.error) : std::string{}, reply.text, {}});
}

void Calls::answer(const ReloadEnded& ended) {
    for (const auto id : ended.commands)
        finish(id, {ended.ok ? std::string{} : error_invalid_config, join(ended.problems, "\n"), ended.problems});
}

void Calls::answer(const MaintenanceAnswered& answered) {
    if (answered.problem.empty()) return finish(answered.command, {{}, "written; the state follows", {}});
    finish(answered.command, {error_failed, answered.problem, {}});
}

void Calls::answer(const ServerChanged& changed) {
    finish(changed.command, {changed.refusal ? error_name(*changed.refusal) : std::string{}, changed.text, {}});
}

void Calls::stopping() {
    while (!waiting_.empty())
        finish(waiting_.begin()->first, {error_name(engine::CommandError::stopping), "the daemon is stopping", {}});
}

} // namespace holdfast::bus
