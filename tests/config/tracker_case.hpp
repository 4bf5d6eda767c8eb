// Trackers that are refused: each with its one message and the hint.
#pragma once

#include "fixture.hpp"

#include <vector>

namespace holdfast::config::testing {

struct Case {
    std::string directives;
    std::string message;
    std::string hint;
};

inline void expect(const std::vector<Case>& cases) {
    for (const auto& one : cases)
        EXPECT_EQ(expect_refused(tracker_with(one.directives), one.message, one.hint).line, 3U);
}

} // namespace holdfast::config::testing
