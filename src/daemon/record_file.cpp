#include "daemon/record_file.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <sys/mman.h>
#include <sys/stat.h>
#include <utility>

namespace holdfast::daemon {
namespace {

constexpr std::size_t words_size = 2 * engine::record_capacity * sizeof(std::uint64_t); // times, then sequence numbers
constexpr std::size_t slot_size = std::size_t{1} << 20; // the file is sparse: only what is written takes memory
constexpr std::size_t file_size = words_size + 2 * slot_size;

struct SlotHeader {
    std::uint64_t sequence;
    std::uint64_t length;
};

std::uint8_t* slot_at(std::span<std::uint8_t> memory, std::uint64_t sequence) {
    return memory.data() + words_size + (sequence % 2) * slot_size;
}

/// The newest sequence number of a router. A plain store: a kill can't tear it.
std::uint64_t* number_at(std::span<std::uint8_t> memory, std::uint32_t router) {
    return reinterpret_cast<std::uint64_t*>(memory.data()) + engine::record_capacity + router;
}

std::string boot_id() {
    std::string text;
    std::ifstream{"/proc/sys/kernel/random/boot_id"} >> text;
    return text;
}

std::uint64_t network_namespace() {
    struct stat info{};
    return ::stat("/proc/self/ns/net", &info) == 0 ? info.st_ino : 0;
}

} // namespace

Result<RecordFile> RecordFile::map(Fd fd, const std::string& name) {
    const auto failed = [&](const char* what) {
        return unexpected{fmt::format("no adoption after a crash: {} {}: {}", what, name, std::strerror(errno))};
    };
    if (!fd) return failed("can't open");
    struct stat info{};
    if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
        errno = EINVAL;
        return failed("not a regular file:");
    }
    if (::ftruncate(fd.get(), static_cast<off_t>(file_size)) != 0) return failed("can't size");
    void* memory = ::mmap(nullptr, file_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (memory == MAP_FAILED) return failed("can't map");
    return RecordFile{std::move(fd), {static_cast<std::uint8_t*>(memory), file_size}};
}

Result<RecordFile> RecordFile::open(const std::filesystem::path& path, Fd kept) {
    const auto in_directory = [&] {
        return map(Fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)}, path.string());
    };
    if (!kept) return in_directory();
    struct stat ours{}, named{};
    const bool is_named = ::fstat(kept.get(), &ours) == 0 && ::stat(path.c_str(), &named) == 0 &&
                          ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
    auto record = map(std::move(kept), "the record that the service manager kept");
    if (!record) return in_directory();
    if (is_named) return record;
    ::unlink(path.c_str()); // older than what was kept: nobody has written to it since
    auto file = in_directory();
    if (!file) return record;
    file->copy_from(*record);
    return file;
}

RecordFile::RecordFile(RecordFile&& other) noexcept
    : fd_{std::move(other.fd_)}, memory_{std::exchange(other.memory_, {})}, sequence_{other.sequence_} {}

/// Only what is written: the rest stays a hole.
void RecordFile::copy_from(const RecordFile& other) {
    std::memcpy(memory_.data(), other.memory_.data(), words_size);
    for (const std::uint64_t which : {0U, 1U}) {
        SlotHeader header{};
        const auto* slot = slot_at(other.memory_, which);
        std::memcpy(&header, slot, sizeof header);
        const auto length = std::min<std::uint64_t>(header.length, slot_size - sizeof header);
        std::memcpy(slot_at(memory_, which), slot, sizeof header + length);
    }
}

RecordFile::~RecordFile() {
    if (!memory_.empty()) ::munmap(memory_.data(), memory_.size());
}

Result<engine::Record> RecordFile::read() const {
    Result<engine::Record> best = unexpected{"there is none"};
    std::uint64_t best_sequence = 0;
    for (const std::uint64_t which : {0U, 1U}) {
        SlotHeader header{};
        const auto* slot = slot_at(memory_, which);
        std::memcpy(&header, slot, sizeof header);
        if (header.sequence <= best_sequence || header.length > slot_size - sizeof header) continue;
        auto record = engine::decode_record({slot + sizeof header, header.length});
        if (!record) continue; // torn while it was written: the other slot is whole
        best = std::move(record);
        best_sequence = header.sequence;
    }
    if (!best) return best;
    if (best->boot_id != boot_id()) return unexpected{"it is of another boot"};
    if (best->network_namespace != network_namespace()) return unexpected{"it is of another network namespace"};
    for (auto& router : best->routers) {
        std::int64_t nanoseconds = 0;
        std::memcpy(&nanoseconds, memory_.data() + router.slot * sizeof nanoseconds, sizeof nanoseconds);
        router.last_advert = BootTime{Duration{nanoseconds}};
        // The slot in the file is written less often than adverts are sent; 0 is of a router that has no numbers.
        if (const auto used = *number_at(memory_, router.slot)) router.sequence = used;
    }
    return best;
}

void RecordFile::write(engine::Record record) {
    record.boot_id = boot_id();
    record.network_namespace = network_namespace();
    auto bytes = engine::encode(record);
    if (bytes.size() > slot_size - sizeof(SlotHeader)) {
        for (auto& router : record.routers)
            router.addresses.clear();
        record.services.clear();
        bytes = engine::encode(record);
    }
    if (sequence_ == 0) // go on after the process before us, in the slot that is not its newest
        for (const std::uint64_t which : {0U, 1U}) {
            SlotHeader header{};
            std::memcpy(&header, slot_at(memory_, which), sizeof header);
            sequence_ = std::max(sequence_, header.sequence);
        }
    ++sequence_;
    auto* slot = slot_at(memory_, sequence_);
    const SlotHeader writing{0, 0}, header{sequence_, bytes.size()};
    std::memcpy(slot, &writing, sizeof writing);
    std::atomic_signal_fence(std::memory_order_seq_cst); // only a kill can interrupt, there is no concurrent reader
    std::memcpy(slot + sizeof header, bytes.data(), bytes.size());
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::memcpy(slot, &header, sizeof header);
    for (const auto& router : record.routers)
        number_used(router.slot, router.sequence);
}

void RecordFile::number_used(std::uint32_t slot, std::uint64_t sequence) {
    if (slot >= engine::record_capacity) return;
    std::atomic_ref{*number_at(memory_, slot)}.store(sequence, std::memory_order_relaxed);
}

void RecordFile::advert_sent(std::uint32_t slot, BootTime when) {
    if (slot >= engine::record_capacity) return;
    auto* word = reinterpret_cast<std::int64_t*>(memory_.data() + slot * sizeof(std::int64_t));
    std::atomic_ref{*word}.store(when.time_since_epoch().count(), std::memory_order_relaxed);
}

} // namespace holdfast::daemon
