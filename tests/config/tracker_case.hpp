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
    for (const auto& one : cases) {
        const auto loaded = load(request(tracker_with(one.directives)));
        ASSERT_FALSE(loaded) << one.directives;
        EXPECT_EQ(loaded.error().size(), 1U) << render(loaded.error());
        EXPECT_EQ(loaded.error()[0].message, one.message) << one.directives;
        EXPECT_EQ(loaded.error()[0].hint, one.hint) << one.directives;
        EXPECT_EQ(loaded.error()[0].line, 3U);
    }
}

} // namespace holdfast::config::testing
