#include "daemon/loader.hpp"

#include "base/text.hpp"
#include "config/dump.hpp"
#include "daemon/clock.hpp"
#include "daemon/server_changes.hpp"
#include "daemon/text_file.hpp"
#include "lint/lint.hpp"
#include "wire/digest.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <expected>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>

namespace holdfast::daemon {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t most_files = 1000;

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
    auto text = read_text(fs::path{directory} / name);
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
    auto text = read_text(path);
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
    auto paths = drop_ins(options.config);
    paths.insert(paths.begin(), options.config);
    ConfigTexts texts;
    std::vector<std::string> problems, warnings;
    for (const auto& path : paths) {
        auto text = read_text(path);
        if (text)
            texts.files.push_back({path.string(), std::move(*text)});
        else
            problems.push_back(fmt::format("{}: error: {}\n", path.string(), text.error()));
    }
    if (!problems.empty()) return {.config = nullptr, .problems = std::move(problems)};
    auto result = load_texts(options, std::move(texts), read_overlays(options, warnings));
    std::ranges::move(warnings, std::back_inserter(result.problems));
    return result;
}

LoadedConfig load_texts(const Options& options, ConfigTexts texts, const std::vector<config::Source>& overlays) {
    const auto once = [](auto& known, const std::string& name, auto read) {
        const auto at = known.find(name);
        return at != known.end() ? at->second : known.emplace(name, read(name)).first->second;
    };
    config::Request request{
        .node_name = options.node_name,
        .files = texts.files,
        .credential = [&](const std::string& name) { return once(texts.credentials, name, read_credential); },
        .key_file = [&](const std::string& path) { return once(texts.key_files, path, read_key_file); }};
    std::ranges::copy(overlays, std::back_inserter(request.files));
    const auto loaded = config::load(request);
    if (!loaded) return {.config = nullptr, .problems = rendered(loaded.error())};
    if (auto refused = refused_digest(loaded->config)) return {.config = nullptr, .problems = {std::move(*refused)}};
    LoadedConfig result{.config = std::make_shared<const model::Config>(loaded->config),
                        .hash = fmt::format("{:016x}", config::hash(loaded->config)),
                        .problems = rendered(lint::check(*loaded)),
                        .texts = std::make_shared<const ConfigTexts>(std::move(texts)),
                        .left_out = loaded->left_out};
    for (const auto& left_out : loaded->left_out)
        result.problems.push_back(config::render(config::as_warning(left_out)));
    return result;
}

Loader::Loader(Options options, LoadedConfig in_force, std::function<void(LoadedConfig)> done)
    : options_{std::move(options)}, in_force_{std::move(in_force)}, done_{std::move(done)} {
    thread_ = std::thread{[this] { loop(); }};
    pthread_setname_np(thread_.native_handle(), "loader");
}

Loader::~Loader() {
    requests_.push(Stop{});
    thread_.join();
}

void Loader::loop() {
    for (;;) {
        pollfd wait[2] = {{requests_.fd(), POLLIN, 0}, {garbage_.fd(), POLLIN, 0}};
        ::poll(wait, 2, -1);
        garbage_.take();
        auto requests = requests_.take();
        const auto is_stop = [](const Request& request) { return std::holds_alternative<Stop>(request); };
        if (std::ranges::any_of(requests, is_stop)) return;
        for (auto& request : requests) {
            if (auto* const change = std::get_if<bus::ServerChangeRequested>(&request))
                answer(change_servers(options_, in_force_, *change));
            else
                answer(reload());
        }
    }
}

LoadedConfig Loader::reload() const {
    const auto began = monotonic_now();
    auto loaded = load_config(options_);
    loaded.took = monotonic_now() - began;
    return loaded;
}

void Loader::answer(LoadedConfig loaded) {
    if (loaded.config) in_force_ = loaded;
    loaded.texts.reset(); // what only this thread uses is freed by it
    loaded.left_out.clear();
    done_(std::move(loaded));
}

} // namespace holdfast::daemon
