// The state record as mapped memory: it survives kill -9 because every store is in the page cache at once. It is a file in the
// runtime directory, and the service manager keeps its descriptor, so that it survives that directory as well (decision
// 0026). Layout: two 64-bit words a router for time and sequence number of its last advert (plain stores, never torn), then
// two slots for everything else, written in turn, so one of them is always whole.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "engine/record.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace holdfast::daemon {

class RecordFile {
  public:
    /// Maps what was kept; else creates or maps the file. A kept one whose file is gone goes on in a new file, or, where none
    /// can be made, in memory alone. Errors are one sentence for the journal; the daemon then runs on without a record.
    static Result<RecordFile> open(const std::filesystem::path& path, Fd kept = {});
    RecordFile(RecordFile&&) noexcept;
    RecordFile& operator=(RecordFile&&) = delete;
    ~RecordFile();

    /// What the process before us left, when it is whole, of this boot and of this network namespace.
    Result<engine::Record> read() const;
    /// Stamps boot id and namespace, and stores.
    void write(engine::Record record);
    void advert_sent(std::uint32_t slot, BootTime when);
    /// Before the packet leaves, so that no number is ever used twice.
    void number_used(std::uint32_t slot, std::uint64_t sequence);

    /// For the service manager's keeping.
    const Fd& descriptor() const { return fd_; }

  private:
    static Result<RecordFile> map(Fd fd, const std::string& name);
    RecordFile(Fd fd, std::span<std::uint8_t> memory) : fd_{std::move(fd)}, memory_{memory} {}
    void copy_from(const RecordFile& other);

    Fd fd_;
    std::span<std::uint8_t> memory_;
    std::uint64_t sequence_{0};
};

} // namespace holdfast::daemon
