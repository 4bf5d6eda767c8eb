// The numbers in text files. A change is heard by inotify(7) on the directory, so that a file may come, go and be replaced;
// each file is looked at once a second besides, for what inotify does not tell (links, network file systems, directories
// that appear later). Invariant: a file that is being written is not read half-way: an empty one is believed at the
// second look.
#pragma once

#include "ipc/epoll.hpp"
#include "ipc/message.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace holdfast::runner {

inline constexpr Duration look_again = 1s;
inline constexpr std::size_t max_files = 4096;

/// What a file says. `text` of at most a few bytes; a number may be surrounded by white space.
struct FileSays {
    bool there{false};
    bool legible{true};
    bool empty{false};
    std::int64_t value{0};
    std::string detail;
    bool operator==(const FileSays&) const = default;
};
FileSays read_number(const std::string& path);

class Files {
  public:
    using Tell = std::function<void(ipc::Report)>;
    Files(ipc::Epoll& epoll, Tell tell);

    void watch(const ipc::WatchFile& what, Time now);
    void stop(ipc::WatchId id);

    bool on_ready(int fd, Time now);
    Time next_deadline() const;
    void on_deadline(Time now);

  private:
    struct File {
        std::string path, directory, name;
        int notice{-1}; ///< inotify's number of the directory
        std::optional<FileSays> told;
        bool doubted{false};
        Time due{};
    };
    void listen(File& file);
    void look(ipc::WatchId id, File& file, Time now);

    ipc::Epoll& epoll_;
    Tell tell_;
    Fd inotify_;
    std::map<ipc::WatchId, File> files_;
};

} // namespace holdfast::runner
