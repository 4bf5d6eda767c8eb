// Upstream files on a real disk: whole or not at all, and errors that name what could not be done.
#include "upstream/file.hpp"

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::upstream {
namespace {

class UpstreamFile : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "upstreamXXXXXX";
        directory_ = ::mkdtemp(pattern.data());
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::filesystem::path directory_;
};

TEST_F(UpstreamFile, IsWrittenIntoADirectoryThatIsMadeAndReadBack) {
    const auto path = directory_ / "nginx" / "web.conf";
    EXPECT_FALSE(read_file(path));
    ASSERT_TRUE(replace_file(path, "upstream web {}\n"));
    EXPECT_EQ(read_file(path), "upstream web {}\n");
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0644U) << "nginx reads it as another user";
}

TEST_F(UpstreamFile, IsReplacedAsAWholeForWhoeverHasItOpen) {
    const auto path = directory_ / "web.conf";
    ASSERT_TRUE(replace_file(path, "old\n"));
    std::ifstream reader{path};
    ASSERT_TRUE(replace_file(path, "new and longer\n"));
    std::string line;
    std::getline(reader, line);
    EXPECT_EQ(line, "old");
    EXPECT_EQ(read_file(path), "new and longer\n");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator{directory_}, {}), 1) << "nothing is left beside it";
}

TEST_F(UpstreamFile, SaysWhatCouldNotBeDone) {
    std::ofstream{directory_ / "file"} << "x";
    const auto inside_a_file = replace_file(directory_ / "file" / "web.conf", "text");
    ASSERT_FALSE(inside_a_file);
    EXPECT_EQ(inside_a_file.error(), (directory_ / "file").string() + " can't be opened: Not a directory");
    std::filesystem::create_directory(directory_ / "web.conf");
    const auto onto_a_directory = replace_file(directory_ / "web.conf", "text");
    ASSERT_FALSE(onto_a_directory);
    EXPECT_EQ(onto_a_directory.error(), (directory_ / "web.conf").string() + " can't be replaced: Is a directory");
}

TEST_F(UpstreamFile, FollowsNoLinkThatSomebodyLeftAtItsTemporaryName) {
    std::ofstream{directory_ / "precious"} << "kept";
    std::filesystem::create_symlink("precious", directory_ / ".web.conf.new");
    EXPECT_FALSE(replace_file(directory_ / "web.conf", "text"));
    EXPECT_EQ(read_file(directory_ / "precious"), "kept");
}

} // namespace
} // namespace holdfast::upstream
