#include "base/bytes.hpp"

#include "base/fd.hpp"
#include "base/id.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(Reader, GivesNetworkOrderAndStopsAtTheEnd) {
    const Bytes bytes{0x12, 0x34, 0x56, 0x78, 0x9a};
    Reader reader{bytes};
    EXPECT_EQ(reader.u8(), 0x12);
    EXPECT_EQ(reader.u16(), 0x3456);
    EXPECT_EQ(reader.left(), 2U);
    EXPECT_FALSE(reader.take(3)) << "more than there is";
    EXPECT_EQ(reader.left(), 2U) << "a refused read takes nothing";
    EXPECT_EQ(reader.take(2)->size(), 2U);
    EXPECT_FALSE(reader.u8());
    EXPECT_TRUE(reader.take(0)) << "nothing can always be taken";
}

TEST(Reader, RefusesHalfAWord) {
    const Bytes bytes{0x12};
    Reader reader{bytes};
    EXPECT_FALSE(reader.u16());
    EXPECT_EQ(reader.u8(), 0x12);
}

TEST(Put, WritesNetworkOrder) {
    Bytes out;
    put8(out, 0x1ff);
    put16(out, 0x1234);
    put32(out, 0xdeadbeef);
    put(out, Bytes{1, 2});
    EXPECT_EQ(out, (Bytes{0xff, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 1, 2}));
}

TEST(Id, IsATypeOfItsOwn) {
    static_assert(!std::is_convertible_v<Vrid, Priority>);
    static_assert(!std::is_convertible_v<int, Vrid>);
    EXPECT_LT(Priority{100}, owner_priority);
    EXPECT_EQ(std::hash<Vrid>{}(Vrid{5}), std::hash<Vrid>{}(Vrid{5}));
}

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) != -1;
}

TEST(Fd, ClosesOnceAndMoves) {
    Fd first{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    ASSERT_TRUE(first);
    const int number = first.get();
    Fd second{std::move(first)};
    EXPECT_EQ(second.get(), number);
    EXPECT_TRUE(is_open(number));
    second = Fd{};
    EXPECT_FALSE(is_open(number));
}

TEST(Fd, ReleasesWithoutClosing) {
    Fd owner{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    const int number = owner.release();
    EXPECT_FALSE(owner);
    EXPECT_TRUE(is_open(number));
    owner.reset(number);
    owner.reset();
    EXPECT_FALSE(is_open(number));
}

} // namespace
} // namespace holdfast
