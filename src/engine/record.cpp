#include "engine/record.hpp"

#include <algorithm>

namespace holdfast::engine {
namespace {

constexpr std::uint32_t magic = 0x48464431; // "HFD1"

constexpr auto crc_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        table[i] = i;
        for (int bit = 0; bit < 8; ++bit)
            table[i] = (table[i] >> 1) ^ (0xedb88320U & (0U - (table[i] & 1U)));
    }
    return table;
}();

std::uint32_t crc32(ByteView bytes) {
    std::uint32_t crc = ~0U;
    for (const auto byte : bytes)
        crc = (crc >> 8) ^ crc_table[(crc ^ byte) & 0xffU];
    return ~crc;
}

void put64(Bytes& out, std::uint64_t value) {
    put32(out, static_cast<std::uint32_t>(value >> 32));
    put32(out, static_cast<std::uint32_t>(value));
}

void put_text(Bytes& out, const std::string& text) {
    put16(out, static_cast<unsigned>(text.size()));
    put(out, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

/// Reads on after a shortage too, with zeroes; `ok` tells at the end.
struct Parser {
    Reader reader;
    bool ok{true};

    template <typename T>
    T or_fail(std::optional<T> value) {
        if (!value) ok = false;
        return value.value_or(T{});
    }
    std::uint8_t u8() { return or_fail(reader.u8()); }
    std::uint16_t u16() { return or_fail(reader.u16()); }
    std::uint32_t u32() {
        const std::uint32_t high = u16();
        return high << 16 | u16();
    }
    std::uint64_t u64() {
        const std::uint64_t high = u32();
        return high << 32 | u32();
    }
    std::string text() {
        const auto bytes = or_fail(reader.take(u16()));
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    MacAddress mac() {
        MacAddress result;
        for (auto& byte : result.bytes)
            byte = u8();
        return result;
    }
    Family family() {
        const auto value = u8();
        if (value != 4 && value != 6) ok = false;
        return value == 6 ? Family::ipv6 : Family::ipv4;
    }
    IpAddress address(Family of) {
        IpAddress result{of, {}};
        for (std::size_t i = 0; i < address_size(of); ++i)
            result.bytes[i] = u8();
        return result;
    }
    Prefix prefix(Family of) {
        const auto length = u8();
        const Prefix result{address(of), length};
        if (result.length > full_prefix(of)) ok = false;
        return result;
    }
};

RecordedRouter parse_router(Parser& in) {
    RecordedRouter router;
    router.slot = in.u32();
    router.name = in.text();
    router.interface = in.text();
    router.link = LinkIndex{in.u32()};
    router.mac = in.mac();
    router.vrid = Vrid{in.u8()};
    router.family = in.family();
    router.master = in.u8() != 0;
    router.priority = Priority{in.u8()};
    router.interval = Duration{static_cast<Duration::rep>(in.u64())};
    const auto count = in.u16();
    for (unsigned i = 0; i < count && in.ok; ++i)
        router.addresses.push_back(in.prefix(router.family));
    router.sequence = in.u64();
    const auto senders = in.u16();
    for (unsigned i = 0; i < senders && in.ok; ++i) {
        const auto sender = in.prefix(router.family).address;
        const auto timely = in.u64();
        router.marks.push_back({sender, timely, in.u64()});
    }
    router.priority_by_hand = in.u8();
    router.taken_over = in.u8() != 0;
    if (in.u8() != 0) router.held_until = Time{Duration{static_cast<Duration::rep>(in.u64())}};
    if (router.slot >= record_capacity) in.ok = false;
    return router;
}

void put_optional(Bytes& out, std::optional<std::uint32_t> value) {
    put8(out, value ? 1 : 0);
    put32(out, value.value_or(0));
}

std::optional<std::uint32_t> parse_optional(Parser& in) {
    const bool there = in.u8() != 0;
    const auto value = in.u32();
    return there ? std::optional{value} : std::nullopt;
}

void put_settings(Bytes& out, const Record& record) {
    put8(out, record.timeouts_before ? 1 : 0);
    if (const auto& timeouts = record.timeouts_before)
        for (const auto seconds : {timeouts->tcp, timeouts->tcp_fin, timeouts->udp})
            put32(out, seconds);
    put8(out, record.reuse_before ? 1 : 0);
    if (const auto& reuse = record.reuse_before) {
        put_optional(out, reuse->expire_nodest);
        put_optional(out, reuse->mode);
    }
}

void parse_settings(Parser& in, Record& record) {
    if (in.u8() != 0) {
        auto& timeouts = record.timeouts_before.emplace();
        for (auto* seconds : {&timeouts.tcp, &timeouts.tcp_fin, &timeouts.udp})
            *seconds = in.u32();
    }
    if (in.u8() != 0) {
        auto& reuse = record.reuse_before.emplace();
        for (auto* value : {&reuse.expire_nodest, &reuse.mode})
            *value = parse_optional(in);
    }
}

void put_service(Bytes& out, const model::ServiceKey& key) {
    put8(out, static_cast<unsigned>(key.family));
    put32(out, key.mark);
    if (key.mark != 0) return;
    put8(out, static_cast<unsigned>(key.protocol));
    put(out, key.address.span());
    put16(out, key.port);
}

model::ServiceKey parse_service(Parser& in) {
    model::ServiceKey key;
    key.family = in.family();
    key.mark = in.u32();
    if (key.mark != 0) return key;
    key.protocol = static_cast<model::Protocol>(in.u8());
    const auto all = {model::Protocol::tcp, model::Protocol::udp, model::Protocol::sctp};
    if (std::ranges::find(all, key.protocol) == all.end()) in.ok = false;
    key.address = in.address(key.family);
    key.port = in.u16();
    return key;
}

RecordedLink parse_link(Parser& in) {
    RecordedLink link;
    link.link = LinkIndex{in.u32()};
    link.name = in.text();
    link.before.arp_ignore = in.u8();
    link.before.arp_filter = in.u8();
    link.before.arp_announce = in.u8();
    return link;
}

} // namespace

Bytes encode(const Record& record) {
    Bytes out;
    put32(out, magic);
    put32(out, record_version);
    put_text(out, record.boot_id);
    put64(out, record.network_namespace);
    put32(out, record.adoptions);
    put64(out, static_cast<std::uint64_t>(record.first_adoption.time_since_epoch().count()));
    put8(out, record.has_filter ? 1 : 0);
    put_settings(out, record);
    put16(out, static_cast<unsigned>(record.links.size()));
    for (const auto& link : record.links) {
        put32(out, link.link.value);
        put_text(out, link.name);
        put8(out, link.before.arp_ignore);
        put8(out, link.before.arp_filter);
        put8(out, link.before.arp_announce);
    }
    put16(out, static_cast<unsigned>(record.routers.size()));
    for (const auto& router : record.routers) {
        put32(out, router.slot);
        put_text(out, router.name);
        put_text(out, router.interface);
        put32(out, router.link.value);
        put(out, router.mac.bytes);
        put8(out, router.vrid.value);
        put8(out, static_cast<unsigned>(router.family));
        put8(out, router.master ? 1 : 0);
        put8(out, router.priority.value);
        put64(out, static_cast<std::uint64_t>(router.interval.count()));
        put16(out, static_cast<unsigned>(router.addresses.size()));
        for (const auto& prefix : router.addresses) {
            put8(out, prefix.length);
            put(out, prefix.address.span());
        }
        put64(out, router.sequence);
        put16(out, static_cast<unsigned>(router.marks.size()));
        for (const auto& mark : router.marks) {
            put8(out, full_prefix(mark.sender.family));
            put(out, mark.sender.span());
            put64(out, mark.timely);
            put64(out, mark.highest);
        }
        put8(out, router.priority_by_hand);
        put8(out, router.taken_over ? 1 : 0);
        put8(out, router.held_until ? 1 : 0);
        if (router.held_until) put64(out, static_cast<std::uint64_t>(router.held_until->time_since_epoch().count()));
    }
    put16(out, static_cast<unsigned>(record.services.size()));
    for (const auto& service : record.services)
        put_service(out, service);
    put32(out, crc32(out));
    return out;
}

Result<Record> decode_record(ByteView bytes) {
    if (bytes.size() < 12) return unexpected{"it is too short"};
    const auto body = bytes.first(bytes.size() - 4);
    Parser tail{Reader{bytes.last(4)}};
    if (tail.u32() != crc32(body)) return unexpected{"its checksum is wrong"};
    Parser in{Reader{body}};
    if (in.u32() != magic) return unexpected{"it is not a state record"};
    const auto version = in.u32();
    if (version != record_version && version != 5) return unexpected{"another version of holdfast wrote it"};
    Record record;
    record.boot_id = in.text();
    record.network_namespace = in.u64();
    record.adoptions = in.u32();
    record.first_adoption = BootTime{Duration{static_cast<Duration::rep>(in.u64())}};
    record.has_filter = in.u8() != 0;
    parse_settings(in, record);
    const auto links = in.u16();
    for (unsigned i = 0; i < links && in.ok; ++i)
        record.links.push_back(parse_link(in));
    const auto count = in.u16();
    for (unsigned i = 0; i < count && in.ok; ++i)
        record.routers.push_back(parse_router(in));
    const unsigned services = version >= 6 ? in.u16() : 0U;
    for (unsigned i = 0; i < services && in.ok; ++i)
        record.services.push_back(parse_service(in));
    if (!in.ok || in.reader.left() != 0) return unexpected{"it is malformed"};
    return record;
}

} // namespace holdfast::engine
