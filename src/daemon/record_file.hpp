// The state record as a memory-mapped file: it survives kill -9 because every store is in the page cache at once. Layout: two
// 64-bit words a router for time and sequence number of its last advert (plain stores, never torn), then two slots for
// everything else, written in turn, so one of them is always whole.
#pragma once

#include "base/result.hpp"
#include "engine/record.hpp"

#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace holdfast::daemon {

class RecordFile {
  public:
    /// Creates or maps the file. Errors are one sentence for the journal; the daemon then runs on without a record.
    static Result<RecordFile> open(const std::filesystem::path& path);
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

  private:
    explicit RecordFile(std::span<std::uint8_t> memory) : memory_{memory} {}
    std::span<std::uint8_t> memory_;
    std::uint64_t sequence_{0};
};

} // namespace holdfast::daemon
