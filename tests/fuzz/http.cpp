// Any bytes as what a web server says, through the whole path of a probe: libcurl, the limits, the digest, the pattern. The probe
// ends once, within its time, and what it says is for people. The first byte chooses what is asked of the answer; where it has
// bit 6, the bytes come in two pieces.

#include "prober/http.hpp"
#include "ipc/service.hpp"

#include <arpa/inet.h>
#include <cstdlib>
#include <optional>
#include <sys/socket.h>

using namespace holdfast;
using namespace holdfast::prober;

namespace {

void must(bool condition) {
    if (!condition) std::abort();
}

/// A port of loopback, for as long as this process lives.
class Listener {
  public:
    Listener() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        must(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(fd.get(), 16) == 0 &&
             ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port = ntohs(address.sin_port);
    }
    Fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    std::uint16_t port{0};
};

std::shared_ptr<const HttpPlan> plan(unsigned kind, std::uint16_t port) {
    model::HttpCheck check;
    check.version = (kind & 8U) != 0   ? model::HttpVersion::v2
                    : (kind & 4U) != 0 ? model::HttpVersion::v1_0
                                       : check.version;
    auto& request = check.requests.front();
    if ((kind & 1U) != 0) request.digest = model::BodyDigest{model::DigestKind::md5, std::string(32, '0')};
    if ((kind & 2U) != 0) request.body = model::BodyPattern{.regex = "^(a|ab)*c$"};
    return std::make_shared<HttpPlan>(check, Endpoint{IpAddress::v4(127, 0, 0, 1), port}, model::ProbeSocket{});
}

struct Prober {
    Outcome probe(unsigned kind, std::string_view said) {
        constexpr Duration timeout = 100ms;
        outcome.reset();
        std::string_view rest = said;
        const auto half = (kind & 64U) != 0 ? said.size() / 2 : said.size();
        Fd server;
        http.start(id, plan(kind, listener.port), timeout);
        const Time began = ipc::clock_now();
        while (!outcome) {
            const auto left =
                std::max(Duration{0}, std::min(curl.next_deadline(), http.next_deadline()) - ipc::clock_now());
            for (const auto& event : epoll.wait(std::min(left, Duration{1ms})))
                curl.on_socket(event.data.fd, event.events);
            if (!server) server.reset(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (server && !rest.empty()) {
                const auto piece = rest.size() > half && half > 0 ? rest.size() - half : rest.size();
                const auto sent = ::send(server.get(), rest.data(), piece, MSG_NOSIGNAL);
                rest.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : rest.size());
            }
            if (server && rest.empty()) ::shutdown(server.get(), SHUT_WR);
            const Time now = ipc::clock_now();
            if (now >= curl.next_deadline()) curl.on_timer();
            if (now >= http.next_deadline()) http.on_timer(now);
            must(now - began < 4s);
        }
        must(!http.busy(id));
        return *outcome;
    }

    static constexpr ipc::WatchId id{1};
    Listener listener;
    ipc::Epoll epoll;
    CurlMulti curl{epoll};
    std::optional<Outcome> outcome;
    HttpDriver http{curl, [this](ipc::WatchId, const Outcome& told) {
                        must(!outcome);
                        outcome = told;
                    }};
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Prober prober;
    if (size == 0) return 0;
    const auto outcome = prober.probe(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
    must(!outcome.our_fault && !outcome.detail.empty() &&
         ipc::valid(ipc::Report{ipc::Verdict{.id = Prober::id,
                                             .ok = outcome.ok,
                                             .detail = ipc::printable(outcome.detail),
                                             .latency = outcome.latency}}));
    return 0;
}
