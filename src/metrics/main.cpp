// holdfast-metrics: what holdfastd does, for Prometheus. systemd starts it with a listening socket named "metrics"; it
// has no privileges but to connect to the daemon's private socket.
#include "metrics/daemon.hpp"
#include "metrics/families.hpp"
#include "metrics/server.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <systemd/sd-daemon.h>

namespace {

using namespace holdfast;
using namespace holdfast::metrics;

constexpr const char* help =
    "holdfast-metrics [--address=ADDRESS] [--metrics-compat=keepalived] [--idle=SECONDS]\n"
    "Serves GET /metrics on the listening socket named \"metrics\" that systemd hands over (holdfast-metrics.socket).\n"
    "  --address=ADDRESS            D-Bus address of holdfastd (unix:path=/run/holdfast/private)\n"
    "  --metrics-compat=keepalived  the names of the keepalived exporter in place of our own\n"
    "  --idle=SECONDS               end when nobody came for so long (60)\n";

struct Options {
    std::string address{"unix:path=/run/holdfast/private"};
    Names names{Names::holdfast};
    Limits limits;
};

/// False: the option is not known, or its value is not.
bool take(Options& options, std::string_view word) {
    constexpr std::string_view address = "--address=", idle = "--idle=";
    if (word.starts_with(address))
        options.address = word.substr(address.size());
    else if (word == "--metrics-compat=keepalived")
        options.names = Names::keepalived;
    else if (word.starts_with(idle)) {
        unsigned seconds = 0;
        const auto* const end = word.data() + word.size();
        const auto parsed = std::from_chars(word.data() + idle.size(), end, seconds);
        if (parsed.ptr != end || parsed.ec != std::errc{} || seconds == 0 || seconds > 86400) return false;
        options.limits.idle = std::chrono::seconds{seconds};
    } else
        return false;
    return true;
}

/// The socket by its name: where it stands among the descriptors is systemd's business.
Fd listening_socket() {
    char** names = nullptr;
    const int count = sd_listen_fds_with_names(1, &names);
    Fd found;
    for (int i = 0; i < count; ++i) {
        if (!found && std::strcmp(names[i], "metrics") == 0) found.reset(SD_LISTEN_FDS_START + i);
        std::free(names[i]);
    }
    std::free(names);
    if (found) ::fcntl(found.get(), F_SETFL, O_NONBLOCK);
    return found;
}

std::uint64_t now_usec() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

Answer scrape(const Options& options, bool open_metrics) {
    constexpr std::chrono::seconds limit{3};
    const auto format = open_metrics ? Format::open_metrics : Format::classic;
    const auto described = describe(options.address, limit);
    const auto known = described ? families(*described, options.names, now_usec()) : std::nullopt;
    return {200, content_type(format), render(known ? *known : families_of_nobody(options.names), format)};
}

} // namespace

int main(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word{argv[i]};
        if (word == "--help" || word == "-h") return std::fputs(help, stdout) < 0;
        if (word == "--version") return std::puts("holdfast-metrics " HOLDFAST_VERSION) < 0;
        if (take(options, word)) continue;
        std::fprintf(stderr, "holdfast-metrics: '%s' is not known: --help tells what there is\n", argv[i]);
        return 2;
    }
    auto listener = listening_socket();
    if (!listener) {
        std::fputs("holdfast-metrics: there is no socket named 'metrics': start holdfast-metrics.socket\n", stderr);
        return EXIT_FAILURE;
    }
    serve(std::move(listener), options.limits, [&](bool open_metrics) { return scrape(options, open_metrics); });
    return EXIT_SUCCESS;
}
