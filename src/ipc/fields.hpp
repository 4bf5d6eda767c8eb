// The fields of every message, in the order in which they travel, once for both directions so that they cannot drift apart.
// Only codec.cpp includes it.
#pragma once

#include "ipc/message.hpp"

#include <concepts>
#include <tuple>
#include <type_traits>

namespace holdfast::ipc {

template <typename M, typename T>
concept Is = std::same_as<std::remove_const_t<M>, T>;

template <Is<StartHttp> M>
auto fields(M& m) {
    return std::tie(m.id, m.url, m.interval, m.timeout);
}
template <typename M>
    requires Is<M, Stop> || Is<M, Unwatch>
auto fields(M& m) {
    return std::tie(m.id);
}
template <Is<WatchProcesses> M>
auto fields(M& m) {
    return std::tie(m.id, m.name, m.quorum, m.words, m.match);
}
template <Is<StartTcp> M>
auto fields(M& m) {
    return std::tie(m.id, m.address, m.interval, m.timeout);
}
template <Is<StartCarrier> M>
auto fields(M& m) {
    return std::tie(m.id, m.interface, m.interval);
}
template <Is<StartScript> M>
auto fields(M& m) {
    return std::tie(m.id, m.argv, m.user, m.interval, m.timeout);
}
template <Is<RunScript> M>
auto fields(M& m) {
    return std::tie(m.id, m.argv, m.user, m.timeout, m.environment);
}
template <Is<WatchFile> M>
auto fields(M& m) {
    return std::tie(m.id, m.path);
}
template <Is<WriteLine> M>
auto fields(M& m) {
    return std::tie(m.id, m.path, m.line);
}
template <Is<SendMail> M>
auto fields(M& m) {
    return std::tie(m.id, m.server, m.hello, m.from, m.to, m.user, m.password, m.ca_file, m.starttls, m.verified,
                    m.text, m.timeout);
}
template <Is<StartCheck> M>
auto fields(M& m) {
    return std::tie(m.id, m.what, m.address, m.port, m.socket, m.interval, m.timeout, m.retry, m.retry_delay, m.warmup,
                    m.tell);
}
template <typename M>
    requires Is<M, model::TcpCheck> || Is<M, model::PingCheck>
auto fields(M&) {
    return std::tie();
}
template <Is<model::HttpCheck> M>
auto fields(M& m) {
    return std::tie(m.requests, m.version, m.method, m.host, m.headers, m.tls, m.server_name, m.verify, m.ca_file,
                    m.certificate_file, m.key_file);
}
template <Is<model::HttpRequest> M>
auto fields(M& m) {
    return std::tie(m.path, m.status, m.digest, m.body);
}
template <Is<model::StatusRange> M>
auto fields(M& m) {
    return std::tie(m.first, m.second);
}
template <Is<model::BodyDigest> M>
auto fields(M& m) {
    return std::tie(m.kind, m.hex);
}
template <Is<model::BodyPattern> M>
auto fields(M& m) {
    return std::tie(m.regex, m.absent, m.caseless, m.multiline, m.dotall, m.extended, m.min_offset, m.max_offset);
}
template <Is<model::SmtpCheck> M>
auto fields(M& m) {
    return std::tie(m.helo);
}
template <Is<model::DnsCheck> M>
auto fields(M& m) {
    return std::tie(m.name, m.type);
}
template <Is<model::UdpCheck> M>
auto fields(M& m) {
    return std::tie(m.payload, m.require_reply, m.reply, m.mask, m.min_length, m.max_length);
}
template <Is<model::TrackerCheck> M> // never sent, but one of the kinds
auto fields(M& m) {
    return std::tie(m.tracker, m.weight, m.reverse);
}
template <Is<model::ScriptCheck> M> // likewise
auto fields(M& m) {
    return std::tie(m.script, m.user, m.dynamic);
}
template <Is<model::ProbeSocket> M>
auto fields(M& m) {
    return std::tie(m.address, m.port, m.source, m.source_port, m.interface, m.mark);
}
template <Is<FileFound> M>
auto fields(M& m) {
    return std::tie(m.id, m.there, m.legible, m.value, m.detail);
}
template <Is<Ended> M>
auto fields(M& m) {
    return std::tie(m.id, m.ok, m.detail, m.took);
}
template <Is<Verdict> M>
auto fields(M& m) {
    return std::tie(m.id, m.ok, m.detail, m.latency, m.skipped, m.unknown, m.value, m.late, m.lateness);
}
template <Is<ProcessInfo> M>
auto fields(M& m) {
    return std::tie(m.pid, m.start, m.child_of_match, m.parent_of_match, m.has_fd);
}
template <Is<ProcessesFound> M>
auto fields(M& m) {
    return std::tie(m.id, m.first, m.last, m.processes);
}

} // namespace holdfast::ipc
