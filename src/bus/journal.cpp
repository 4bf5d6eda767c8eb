#define SD_JOURNAL_SUPPRESS_LOCATION // our file and line say nothing to an operator
#include "bus/journal.hpp"

#include "base/fd.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <systemd/sd-journal.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace holdfast::bus {
namespace {

constexpr std::string_view journal_socket = "/run/systemd/journal/socket";

/// $JOURNAL_STREAM is "device:inode" of what the service manager connected (systemd.exec(5)); somebody may have
/// redirected it.
bool stderr_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat info{};
    return stream && ::fstat(STDERR_FILENO, &info) == 0 && fmt::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

/// In a container stderr is the runtime's pipe, and the journal may be there all the same.
bool journal_asked_for() {
    const char* asked = std::getenv("HOLDFAST_JOURNAL");
    return asked && std::string_view{asked} == "1";
}

void add(std::vector<std::string>& fields, std::string_view name, std::string_view value) {
    if (!value.empty()) fields.push_back(fmt::format("{}={}", name, value));
}

/// A line break in a plain line would pass for another message.
std::string one_line(std::string text) {
    while (text.ends_with('\n'))
        text.pop_back();
    for (auto& byte : text)
        if (byte == '\n') byte = ' ';
    return text;
}

/// sd_journal_sendv(3) waits while journald reads nothing (its disk hangs), and with it all of the bus, the watchdog's sign of life
/// too. The queue of journald's socket is full or not for every sender alike: whether there is room is asked beforehand, by a
/// socket of our own, because unix_dgram_poll() looks at the other end's queue only when connected.
bool journal_takes_more() {
    const Fd asking{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    static_assert(journal_socket.size() < sizeof to.sun_path);
    std::ranges::copy(journal_socket, to.sun_path); // the rest is zero
    if (!asking || ::connect(asking.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return false;
    pollfd room{asking.get(), POLLOUT, 0};
    return ::poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) != 0;
}

} // namespace

Journal::Journal()
    : wanted_{stderr_is_journal() || journal_asked_for()}, target_{wanted_ ? Target::journal : Target::console} {}

bool Journal::set_target(Target target) {
    if (target == Target::journal && missing()) return false;
    target_ = target;
    return true;
}

std::optional<std::string> Journal::missing() const {
    if (!wanted_) return "stderr is not the journal, so messages are plain lines there, without fields";
    if (::access(journal_socket.data(), W_OK) != 0)
        return fmt::format("no journald at {}: messages are plain lines on stderr", journal_socket);
    return std::nullopt;
}

void Journal::write(const engine::Note& note, std::string_view node) {
    if (std::to_underlying(note.severity) > level_) return;
    if (!send(note, node)) print(note);
}

namespace {

/// What the note's object is called in the journal.
std::string_view object_field(engine::NoteKind kind) {
    if (kind == engine::NoteKind::tracker_changed) return "HOLDFAST_TRACKER";
    if (kind == engine::NoteKind::server_changed || kind == engine::NoteKind::server_refused ||
        kind == engine::NoteKind::server_unnamed)
        return "HOLDFAST_SERVER";
    return kind == engine::NoteKind::group_state_change ? "HOLDFAST_SYNC_GROUP" : "HOLDFAST_INSTANCE";
}

} // namespace

bool Journal::send(const engine::Note& note, std::string_view node) const {
    if (target_ != Target::journal || !journal_takes_more()) return false;
    std::vector<std::string> fields{fmt::format("SYSLOG_IDENTIFIER={}", identifier), "MESSAGE=" + note.text,
                                    fmt::format("PRIORITY={}", std::to_underlying(note.severity)),
                                    fmt::format("MESSAGE_ID={}", message_id(note.kind))};
    add(fields, object_field(note.kind), note.instance);
    add(fields, "HOLDFAST_OLD_STATE", note.from);
    add(fields, "HOLDFAST_NEW_STATE", note.to);
    add(fields, "HOLDFAST_REASON", note.reason);
    add(fields, "HOLDFAST_NODE", node);
    std::vector<iovec> parts;
    parts.reserve(fields.size());
    for (auto& field : fields)
        parts.push_back({field.data(), field.size()});
    return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) >= 0;
}

void Journal::print(const engine::Note& note) {
    pollfd out{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) {
        ++dropped_; // nobody reads the pipe: waiting would stop the watchdog's sign of life too
        return;
    }
    if (dropped_ > 0) std::fprintf(stderr, "<4>dropped %u lines: nobody read stderr\n", std::exchange(dropped_, 0U));
    std::fprintf(stderr, "<%d>%s\n", std::to_underlying(note.severity), one_line(note.text).c_str());
}

std::string_view message_id(engine::NoteKind kind) {
    using Kind = engine::NoteKind;
    switch (kind) {
    case Kind::state_change: return "ae5f8591161748d7ba2a41dc408c3529";
    case Kind::group_state_change: return "38c5e0c4e9b243b1a9af241a2e64cc62";
    case Kind::packet_rejected: return "3472fc96fd894ca4a239751d10c7f2e7";
    case Kind::stranger_priority: return "aef0750b56244cf097fc1be84380a707";
    case Kind::interval_capped: return "dec33aba0b4a450fbd159d88adf95467";
    case Kind::address_lists_differ: return "3f52cfb78c534ca2ae9707af92d3f11a";
    case Kind::address_deleted: return "f9ccdaf721934b18bba164311bbcebae";
    case Kind::address_foreign: return "3caf6aa70f55411b911a707d759c78ce";
    case Kind::address_refused: return "1be9ebd4af084fbeb7cf758a514f279a";
    case Kind::lease_unsafe: return "27fe33a77a6649999c845c39daeeb11e";
    case Kind::lease_lost: return "0ef524399d5640fd8b62a1efb8b67d9b";
    case Kind::woken_late: return "d389269828b744a38caecf424d707822";
    case Kind::tracker_changed: return "c6fc7a4f72c64afda95c0b838e2bcfd9";
    case Kind::config_loaded: return "1bdddfd48d3148c58719fe8d7115bba9";
    case Kind::config_rejected: return "779226afca89463fab205a78c590d169";
    case Kind::stopping: return "9ceac99dd3e348c786b2d0582f93b2c9";
    case Kind::route_deleted: return "e0bac842c3a64aa09ac49e86c2e6caca";
    case Kind::route_refused: return "259c8c0dc1d141be9a2c8453be46c36a";
    case Kind::duplicate_address: return "ac352711a6f743f18594b9d193c62e50";
    case Kind::unheard: return "d942f35687b6459aa9d80325a34f42d6";
    case Kind::stood_still: return "49bc41cdb1d649e9986a8fa13b5b4fa3";
    case Kind::vrid_stranger: return "880306c6ecde47c1a45ecfa4a59d15f5";
    case Kind::script_ended: return "5d0c1c6fd7f84be3a5f0cf2f6b9a6d31";
    case Kind::clocks_differ: return "bf56f50ef0064ff39ee52948c3f6e74d";
    case Kind::server_changed: return "5b8d6a3e0f7c4c0e9a4d2f1b7c6e5d48";
    case Kind::server_refused: return "c1f0a7e94b2d4d6f8e3a5b9c7d1e2f60";
    case Kind::server_unnamed: return "0108ea345b9346058d2e14d6b98f54b2";
    case Kind::maintenance: return "7d1c5a0e6b9f4f3a8e2b4c6d0f1a9b87";
    case Kind::command: return "b364745b8f4345e6a8000cfa21c0ffc8";
    case Kind::missing_service: return "a0e91dbc2d6b4db58f8fe72980850123";
    }
    return {};
}

} // namespace holdfast::bus
