#include "ipc/codec.hpp"

#include "ipc/fields.hpp"

#include <fmt/format.h>
#include <tuple>
#include <type_traits>

namespace holdfast::ipc {

namespace {

constexpr unsigned version = 3;

// The kind byte of each message. Requests are below 64, reports from 64 on.
template <typename M>
constexpr unsigned kind = 0;
template <>
constexpr unsigned kind<StartHttp> = 1;
template <>
constexpr unsigned kind<Stop> = 2;
template <>
constexpr unsigned kind<WatchProcesses> = 3;
template <>
constexpr unsigned kind<Unwatch> = 4;
template <>
constexpr unsigned kind<StartTcp> = 5;
template <>
constexpr unsigned kind<StartScript> = 6;
template <>
constexpr unsigned kind<RunScript> = 7;
template <>
constexpr unsigned kind<WatchFile> = 8;
template <>
constexpr unsigned kind<WriteLine> = 9;
template <>
constexpr unsigned kind<SendMail> = 10;
template <>
constexpr unsigned kind<StartCheck> = 11;
template <>
constexpr unsigned kind<StartCarrier> = 12;
template <>
constexpr unsigned kind<FileFound> = 66;
template <>
constexpr unsigned kind<Ended> = 67;
template <>
constexpr unsigned kind<Verdict> = 64;
template <>
constexpr unsigned kind<ProcessesFound> = 65;

template <typename M>
concept HasFields = requires(M& m) { fields(m); };
/// `valid` says which of its values there are.
template <typename E>
concept Enumeration = std::is_enum_v<E>;

class Writer {
  public:
    explicit Writer(Bytes& out) : out_{out} {}

    void write(bool value) { put8(out_, value ? 1 : 0); }
    void write(std::uint32_t value) { put32(out_, value); }
    void write(std::int32_t value) { put32(out_, static_cast<std::uint32_t>(value)); }
    void write(std::uint64_t value) {
        put32(out_, static_cast<std::uint32_t>(value >> 32));
        put32(out_, static_cast<std::uint32_t>(value & 0xffffffffU));
    }
    void write(Duration value) { write(static_cast<std::uint64_t>(value.count())); }
    void write(WatchId id) { write(id.value); }
    void write(const std::string& value) { // `valid` has bounded it
        put16(out_, static_cast<unsigned>(value.size()));
        out_.insert(out_.end(), value.begin(), value.end());
    }
    void write(std::int64_t value) { write(static_cast<std::uint64_t>(value)); }
    void write(std::uint16_t value) { put16(out_, value); }
    template <Enumeration E>
    void write(E value) {
        if constexpr (sizeof(E) == 1)
            put8(out_, static_cast<std::uint8_t>(value));
        else
            put16(out_, static_cast<std::uint16_t>(value));
    }
    void write(const IpAddress& address) {
        put8(out_, static_cast<std::uint8_t>(address.family));
        put(out_, address.span());
    }
    void write(const Bytes& bytes) { // bounded
        put16(out_, static_cast<unsigned>(bytes.size()));
        put(out_, bytes);
    }
    template <typename T>
    void write(const std::optional<T>& value) {
        write(value.has_value());
        if (value) write(*value);
    }
    template <typename... Ts>
    void write(const std::variant<Ts...>& value) {
        put8(out_, static_cast<unsigned>(value.index()));
        std::visit([this](const auto& each) { this->write(each); }, value);
    }
    template <HasFields M>
    void write(const M& value) {
        write_fields(value);
    }
    template <typename T>
    void write(const std::vector<T>& list) { // bounded as well
        put16(out_, static_cast<unsigned>(list.size()));
        for (const auto& each : list)
            write(each);
    }
    template <typename M>
    void write_fields(const M& message) {
        std::apply([this]([[maybe_unused]] const auto&... field) { (this->write(field), ...); }, fields(message));
    }

  private:
    Bytes& out_;
};

class Parser {
  public:
    explicit Parser(ByteView bytes) : reader_{bytes} {}

    bool read(bool& value) {
        const auto byte = reader_.u8();
        if (!byte || *byte > 1) return false;
        value = *byte == 1;
        return true;
    }
    bool read(std::uint32_t& value) {
        const auto high = reader_.u16();
        const auto low = reader_.u16();
        if (!high || !low) return false;
        value = static_cast<std::uint32_t>(*high) << 16 | *low;
        return true;
    }
    bool read(std::int32_t& value) {
        std::uint32_t raw{};
        if (!read(raw)) return false;
        value = static_cast<std::int32_t>(raw);
        return true;
    }
    bool read(std::uint64_t& value) {
        std::uint32_t high{};
        std::uint32_t low{};
        if (!read(high) || !read(low)) return false;
        value = static_cast<std::uint64_t>(high) << 32 | low;
        return true;
    }
    bool read(Duration& value) {
        std::uint64_t raw{};
        if (!read(raw)) return false;
        value = Duration{static_cast<Duration::rep>(raw)};
        return true;
    }
    bool read(WatchId& id) { return read(id.value); }
    bool read(std::string& value) {
        const auto size = reader_.u16();
        if (!size) return false;
        const auto part = reader_.take(*size);
        if (!part) return false;
        value.assign(part->begin(), part->end());
        return true;
    }
    bool read(std::int64_t& value) {
        std::uint64_t raw{};
        if (!read(raw)) return false;
        value = static_cast<std::int64_t>(raw);
        return true;
    }
    bool read(std::uint16_t& value) {
        const auto raw = reader_.u16();
        if (raw) value = *raw;
        return raw.has_value();
    }
    template <Enumeration E>
    bool read(E& value) {
        std::optional<unsigned> raw;
        if constexpr (sizeof(E) == 1)
            raw = reader_.u8();
        else
            raw = reader_.u16();
        if (raw) value = static_cast<E>(*raw);
        return raw.has_value();
    }
    bool read(IpAddress& address) {
        const auto family = reader_.u8();
        if (family != static_cast<std::uint8_t>(Family::ipv4) && family != static_cast<std::uint8_t>(Family::ipv6))
            return false;
        const auto bytes = reader_.take(address_size(static_cast<Family>(*family)));
        if (bytes) address = IpAddress::from(static_cast<Family>(*family), *bytes);
        return bytes.has_value();
    }
    bool read(Bytes& bytes) {
        const auto size = reader_.u16();
        const auto part = size ? reader_.take(*size) : std::nullopt;
        if (part) bytes.assign(part->begin(), part->end());
        return part.has_value();
    }
    template <typename T>
    bool read(std::optional<T>& value) {
        bool there{};
        if (!read(there)) return false;
        return !there || read(value.emplace());
    }
    template <typename... Ts>
    bool read(std::variant<Ts...>& value) {
        const auto index = reader_.u8();
        std::size_t at = 0;
        return index && ((at++ == *index && read(value.template emplace<Ts>())) || ...);
    }
    template <typename T>
    bool read(std::vector<T>& list) {
        const auto count = reader_.u16();
        if (!count || *count > max_words) return false; // before anything is allocated
        list.resize(*count);
        for (auto& each : list)
            if (!read(each)) return false;
        return true;
    }
    template <HasFields M>
    bool read(M& value) {
        return read_fields(value);
    }
    bool read(std::vector<ProcessInfo>& list) {
        const auto count = reader_.u16();
        constexpr std::size_t bytes_each = 15;
        if (!count || reader_.left() < *count * bytes_each) return false; // before anything is allocated
        list.resize(*count);
        for (auto& each : list)
            if (!read_fields(each)) return false;
        return true;
    }
    template <typename M>
    bool read_fields(M& message) {
        return std::apply([this]([[maybe_unused]] auto&... field) { return (this->read(field) && ...); },
                          fields(message));
    }
    bool at_end() const { return reader_.left() == 0; }

  private:
    Reader reader_;
};

template <typename Variant>
Result<Bytes> encode_any(const Variant& message) {
    if (auto checked = valid(message); !checked) return unexpected{checked.error()};
    Bytes out;
    put8(out, version);
    std::visit(
        [&out]<typename M>(const M& each) {
            put8(out, kind<M>);
            Writer{out}.write_fields(each);
        },
        message);
    if (out.size() > max_packet) return unexpected{fmt::format("the message is longer than {} bytes", max_packet)};
    return out;
}

/// Fills `out` when `M` is the kind asked for; false when it is another. A body that does not parse leaves `out` empty.
template <typename M, typename Variant>
bool decode_one(unsigned asked, ByteView body, std::optional<Variant>& out) {
    if (asked != kind<M>) return false;
    Parser parser{body};
    M message{};
    if (parser.read_fields(message) && parser.at_end()) out = std::move(message);
    return true;
}

template <typename Variant, typename... Ms>
Result<Variant> decode_any(ByteView packet, const std::variant<Ms...>* /* names the alternatives */) {
    if (packet.size() > max_packet) return unexpected{fmt::format("longer than {} bytes", max_packet)};
    if (packet.size() < 2) return unexpected{fmt::format("too short for a message: {} bytes", packet.size())};
    if (packet[0] != version)
        return unexpected{fmt::format(
            "version {} of the protocol, this end speaks {}: restart holdfast after an upgrade", packet[0], version)};
    std::optional<Variant> out;
    const bool known = (decode_one<Ms>(packet[1], packet.subspan(2), out) || ...);
    if (!known) return unexpected{fmt::format("unknown kind {}", packet[1])};
    if (!out) return unexpected{fmt::format("the body of kind {} is malformed ({} bytes)", packet[1], packet.size())};
    if (auto checked = valid(*out); !checked) return unexpected{checked.error()};
    return *std::move(out);
}

} // namespace

Result<Bytes> encode(const Request& request) {
    return encode_any(request);
}
Result<Bytes> encode(const Report& report) {
    return encode_any(report);
}

Result<Request> decode_request(ByteView packet) {
    return decode_any<Request>(packet, static_cast<const Request*>(nullptr));
}
Result<Report> decode_report(ByteView packet) {
    return decode_any<Report>(packet, static_cast<const Report*>(nullptr));
}

} // namespace holdfast::ipc
