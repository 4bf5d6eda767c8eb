#include "daemon/upstreams.hpp"

#include "base/time.hpp"
#include "upstream/file.hpp"
#include "upstream/master.hpp"
#include "upstream/render.hpp"

#include <fmt/format.h>
#include <poll.h>

namespace holdfast::daemon {
namespace {

/// nginx reads its certificates anew, and systemd may be busy; an nginx that forks its workers takes milliseconds.
constexpr Duration patience_with_systemd = 30s, patience_with_nginx = 5s;

} // namespace

Upstreams::Upstreams(std::filesystem::path directory, Door door)
    : directory_{std::move(directory)}, door_{std::move(door)},
      worker_{"upstreams", [this](const auto& batch) { door_.report({batch.id, carry_out(batch)}); }} {}

Upstreams::~Upstreams() {
    answers_.push({.end = true}); // nobody answers any more
}

std::string Upstreams::carry_out(const engine::WriteUpstreams& batch) {
    Changed changed;
    auto problem = write_files(batch, changed);
    if (problem.empty() && (batch.reload || !changed.empty())) problem = reload(batch);
    if (!problem.empty()) take_back(changed);
    return problem;
}

std::string Upstreams::write_files(const engine::WriteUpstreams& batch, Changed& changed) const {
    for (const auto& file : batch.files) {
        const auto& model = *file.server;
        const auto path = directory_ / model.nginx->file;
        auto before = upstream::read_file(path);
        if (before && file.only_if_missing) continue;
        const auto text = upstream::render(model.name, *model.nginx, file.peers);
        if (before == text) continue;
        if (const auto written = upstream::replace_file(path, text); !written) return written.error();
        changed.emplace(path, std::move(before));
    }
    return {};
}

std::string Upstreams::reload(const engine::WriteUpstreams& batch) {
    if (!batch.nginx.pid_file.empty()) {
        const auto took = upstream::reload_master(batch.nginx.pid_file, patience_with_nginx);
        return took ? std::string{} : took.error();
    }
    door_.reload_unit(batch.id.value, batch.nginx.unit);
    const auto end = std::chrono::steady_clock::now() + patience_with_systemd;
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left <= 0ms) break;
        pollfd wait{answers_.fd(), POLLIN, 0};
        ::poll(&wait, 1, static_cast<int>(left.count()));
        for (const auto& answer : answers_.take()) {
            if (answer.end) {
                answers_.push({.end = true}); // for the batches that still wait
                return "the daemon stopped before systemd had answered";
            }
            if (answer.id == batch.id.value) return answer.problem;
        }
    }
    return fmt::format("systemd did not reload {} in {}", batch.nginx.unit, to_string(patience_with_systemd));
}

/// A file that was not there before stays: an nginx that includes it by name would not start without.
void Upstreams::take_back(const Changed& changed) {
    for (const auto& [path, before] : changed)
        if (before) static_cast<void>(upstream::replace_file(path, *before));
}

} // namespace holdfast::daemon
