#include "daemon/loader.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"
#include "config/dump.hpp"
#include "config/load.hpp"
#include "lint/lint.hpp"
#include "wire/digest.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <expected>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>

namespace holdfast::daemon {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t largest_file = std::size_t{1} << 20;
constexpr std::size_t most_files = 1000;

/// The whole file; directories, devices and FIFOs are refused before anything can hang.
std::expected<std::string, std::string> read_file(const fs::path& path) {
    const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    struct stat info{};
    if (!fd || ::fstat(fd.get(), &info) != 0)
        return std::unexpected{fmt::format("{}: error: can't be read: {}\n", path.string(), std::strerror(errno))};
    if (!S_ISREG(info.st_mode))
        return std::unexpected{fmt::format("{}: error: it is not a regular file\n", path.string())};
    std::string text(largest_file + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const auto got = ::read(fd.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return std::unexpected{fmt::format("{}: error: can't be read: {}\n", path.string(), std::strerror(errno))};
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    text.resize(size); // one byte over the limit is enough for config/ to refuse it
    return text;
}

std::vector<fs::path> drop_ins(const fs::path& config) {
    std::vector<fs::path> result;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator{config.string() + ".d", ignored})
        if (entry.path().extension() == ".yaml" && result.size() < most_files) result.push_back(entry.path());
    std::ranges::sort(result);
    return result;
}

/// A file of $CREDENTIALS_DIRECTORY (systemd.exec(5)); the name was checked to be one path component.
std::optional<std::string> read_credential(const std::string& name) {
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    if (!directory || !is_name(name) || name == "." || name == "..") return std::nullopt;
    auto text = read_file(fs::path{directory} / name);
    if (!text) return std::nullopt;
    while (text->ends_with('\n'))
        text->pop_back();
    return *text;
}

/// A key that others can read is theirs as well.
config::Parsed<std::string> read_key_file(const std::string& path) {
    struct stat info{};
    constexpr unsigned others = 077;
    if (::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & others) != 0)
        return std::unexpected{config::Complaint{
            fmt::format("can be used by other users than its owner (mode {:04o})", info.st_mode & 07777U),
            fmt::format("chmod 600 {}", path)}};
    auto text = read_file(path);
    if (!text)
        return std::unexpected{
            config::Complaint{"can't be read as a key", "it must be a regular file that the daemon may read"}};
    while (text->ends_with('\n'))
        text->pop_back();
    return std::move(*text);
}

/// Asked here and not at the first advert: OpenSSL reads its own configuration then, which the loop must not wait for.
std::optional<std::string> refused_digest(const model::Config& config) {
    constexpr std::array<std::uint8_t, 8> anything{};
    for (const auto& instance : config.instances) {
        if (!instance.authentication) continue;
        const bool ah = std::holds_alternative<model::AhAuthentication>(*instance.authentication);
        const bool hmac = std::holds_alternative<model::HmacAuthentication>(*instance.authentication);
        if (ah && !wire::hmac_md5(anything, anything))
            return fmt::format(
                "error: instance '{}' has authentication of type ah, and OpenSSL refuses MD5 on this host (FIPS "
                "mode)\n  hint: use type: hmac on all hosts\n",
                instance.name);
        if (hmac && !wire::hmac_sha256(anything, anything))
            return fmt::format(
                "error: instance '{}' has authentication of type hmac, and OpenSSL refuses SHA-256\n  hint: see "
                "openssl.cnf(5): the default provider is not active\n",
                instance.name);
    }
    return std::nullopt;
}

template <typename Diagnostics>
std::vector<std::string> rendered(const Diagnostics& diagnostics) {
    std::vector<std::string> result;
    for (const auto& diagnostic : diagnostics)
        result.push_back(config::render(diagnostic));
    return result;
}

} // namespace

LoadedConfig load_config(const Options& options) {
    config::Request request{
        .node_name = options.node_name, .files = {}, .credential = read_credential, .key_file = read_key_file};
    auto paths = drop_ins(options.config);
    paths.insert(paths.begin(), options.config);
    LoadedConfig result;
    for (const auto& path : paths) {
        auto text = read_file(path);
        if (text)
            request.files.push_back({path.string(), std::move(*text)});
        else
            result.problems.push_back(text.error());
    }
    if (!result.problems.empty()) return result;
    const auto loaded = config::load(request);
    if (!loaded) {
        result.problems = rendered(loaded.error());
        return result;
    }
    if (const auto refused = refused_digest(loaded->config)) {
        result.problems.push_back(*refused);
        return result;
    }
    result.problems = rendered(lint::check(*loaded));
    result.hash = fmt::format("{:016x}", config::hash(loaded->config));
    result.config = std::make_shared<const model::Config>(loaded->config);
    return result;
}

Loader::Loader(Options options, std::function<void(LoadedConfig)> done)
    : options_{std::move(options)}, done_{std::move(done)} {
    thread_ = std::thread{[this] { loop(); }};
    pthread_setname_np(thread_.native_handle(), "loader");
}

Loader::~Loader() {
    requests_.push(Request::stop);
    thread_.join();
}

void Loader::loop() {
    for (;;) {
        pollfd wait[2] = {{requests_.fd(), POLLIN, 0}, {garbage_.fd(), POLLIN, 0}};
        ::poll(wait, 2, -1);
        garbage_.take();
        const auto requests = requests_.take();
        if (std::ranges::find(requests, Request::stop) != requests.end()) return;
        if (!requests.empty()) done_(load_config(options_)); // several requests at once are one reading
    }
}

} // namespace holdfast::daemon
