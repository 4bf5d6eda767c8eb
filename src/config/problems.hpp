// Collects everything that is wrong with a configuration, so that the operator hears of all of it at once. Invariant:
// nothing is lost in silence; what is left out of a very long list is counted.
#pragma once

#include "config/diagnostic.hpp"
#include "config/source.hpp"
#include "config/tree.hpp"

#include <string>
#include <vector>

namespace holdfast::config {

class Problems {
  public:
    void error(Mark, std::string message, std::string hint = {});
    /// Takes over what another one collected.
    void append(Problems&& other);
    bool failed() const { return count_ > 0; }
    std::size_t count() const { return count_; }
    /// Sorted by place, each with its source line.
    std::vector<Diagnostic> diagnostics(const Sources&) const;

    struct Problem {
        Mark mark;
        std::size_t order; ///< of what was found at one place
        std::string message;
        std::string hint;
    };
    /// As they were found, without those that are only counted.
    const std::vector<Problem>& kept() const { return problems_; }

  private:
    std::vector<Problem> problems_;
    std::size_t count_{0};
};

} // namespace holdfast::config
