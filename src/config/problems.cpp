#include "config/problems.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <tuple>

namespace holdfast::config {
namespace {

constexpr std::size_t most_kept = 1000; // bounds the memory that a hostile file can take
constexpr std::size_t most_shown = 100;

} // namespace

void Problems::error(Mark mark, std::string message, std::string hint) {
    ++count_;
    if (problems_.size() < most_kept) problems_.push_back({mark, count_, std::move(message), std::move(hint)});
}

void Problems::append(Problems&& other) {
    for (auto& problem : other.problems_)
        if (problems_.size() < most_kept) problems_.push_back(std::move(problem));
    count_ += other.count_;
}

std::vector<Diagnostic> Problems::diagnostics(const Sources& sources) const {
    auto sorted = problems_;
    std::ranges::sort(sorted, {}, [](const Problem& p) { return std::tie(p.mark, p.order); });
    std::vector<Diagnostic> result;
    for (const auto& problem : sorted) {
        if (result.size() == most_shown) break;
        Diagnostic diagnostic{.message = problem.message, .hint = problem.hint};
        sources.locate(problem.mark, diagnostic);
        result.push_back(std::move(diagnostic));
    }
    const auto left = count_ - result.size();
    if (left > 0)
        result.push_back(
            {.message = fmt::format("{} more {} not shown", left, left == 1 ? "problem is" : "problems are"),
             .hint = "mend the first ones and check again"});
    return result;
}

} // namespace holdfast::config
