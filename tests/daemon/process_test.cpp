#include "daemon/process.hpp"

#include "base/time.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <thread>

using namespace holdfast;
using namespace holdfast::daemon;

namespace {

class RuntimeDirectory : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "holdfast-lock-XXXXXX";
        directory = ::mkdtemp(name.data());
    }
    void TearDown() override { std::filesystem::remove_all(directory); }

    std::filesystem::path directory;
};

TEST_F(RuntimeDirectory, IsOneDaemons) {
    const auto lock = lock_runtime_directory(directory);
    ASSERT_TRUE(lock);
    const auto second = lock_runtime_directory(directory);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().find("process " + std::to_string(::getpid())), std::string::npos) << second.error();
}

// A killed daemon's listening sockets are closed before its lock is: who starts at once must not give up.
TEST_F(RuntimeDirectory, IsWaitedForWhileItsHolderDies) {
    auto lock = lock_runtime_directory(directory);
    ASSERT_TRUE(lock);
    std::thread dying{[&] {
        std::this_thread::sleep_for(50ms);
        lock->reset();
    }};
    const auto heir = lock_runtime_directory(directory);
    dying.join();
    EXPECT_TRUE(heir) << heir.error();
}

} // namespace
