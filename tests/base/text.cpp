#include "base/text.hpp"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

const std::vector<std::string> words{"priority", "preempt", "preempt_delay", "vrid", "interface", "lease"};

TEST(Nearest, FindsOneSlipOfTheFinger) {
    EXPECT_EQ(nearest("prioirty", words), "priority") << "two letters swapped";
    EXPECT_EQ(nearest("priorty", words), "priority") << "one missing";
    EXPECT_EQ(nearest("prioritty", words), "priority") << "one too many";
    EXPECT_EQ(nearest("priofity", words), "priority") << "one wrong";
    EXPECT_EQ(nearest("vird", words), "vrid");
    EXPECT_EQ(nearest("leese", words), "lease");
}

TEST(Nearest, FindsTheWordItself) {
    for (const auto& word : words)
        EXPECT_EQ(nearest(word, words), word);
}

TEST(Nearest, KeepsSilentWhenNothingIsNear) {
    EXPECT_EQ(nearest("colour", words), std::nullopt);
    EXPECT_EQ(nearest("", words), std::nullopt);
    EXPECT_EQ(nearest("x", words), std::nullopt);
    EXPECT_EQ(nearest("priority", {}), std::nullopt);
    EXPECT_EQ(nearest(std::string(65, 'p'), std::vector<std::string>{std::string(64, 'p')}), std::nullopt)
        << "no word is that long";
}

TEST(Nearest, AllowsAThirdOfTheLetters) {
    EXPECT_EQ(nearest("ab", std::vector<std::string>{"abc"}), "abc") << "at least one slip is allowed";
    EXPECT_EQ(nearest("abcd", std::vector<std::string>{"xbcx"}), std::nullopt);
    EXPECT_EQ(nearest("abcdef", std::vector<std::string>{"xbcdex"}), "xbcdex");
}

TEST(Nearest, PrefersTheNearer) {
    EXPECT_EQ(nearest("preempt_dela", words), "preempt_delay");
    EXPECT_EQ(nearest("preemt", words), "preempt");
}

TEST(Join, PutsTheSeparatorBetween) {
    EXPECT_EQ(join(std::vector<std::string>{}, ", "), "");
    EXPECT_EQ(join(std::vector<std::string>{"a"}, ", "), "a");
    EXPECT_EQ(join(std::vector<std::string>{"a", "b", "c"}, ", "), "a, b, c");
}

TEST(Name, HasOneTo64HarmlessCharacters) {
    for (const std::string fine : {"a", "web", "lb-1.example", "A_b.C-9", "-", "."})
        EXPECT_TRUE(is_name(fine)) << fine;
    EXPECT_TRUE(is_name(std::string(64, 'x')));
    for (const std::string bad : {"", "a b", "a/b", "web/ipv4", "\xc3\xb6", "a\n", "a:b", "*"})
        EXPECT_FALSE(is_name(bad)) << bad;
    EXPECT_FALSE(is_name(std::string(65, 'x')));
    EXPECT_FALSE(is_name(std::string_view{"a\0b", 3}));
}

} // namespace
} // namespace holdfast
