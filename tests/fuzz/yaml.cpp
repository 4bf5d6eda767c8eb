// The configuration reader as a fuzz target: any bytes are a Config or diagnostics, in bounded time and space; what is
// a Config is written out and read back to the same Config, and the warnings over it can be made.
#include "base/assert.hpp"
#include "config/dump.hpp"
#include "config/load.hpp"
#include "lint/lint.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace {

using namespace holdfast;

config::Request request(std::string text) {
    config::Request result{.node_name = "lb1", .files = {{"fuzz.yaml", std::move(text)}}};
    result.credential = [](const std::string& name) {
        return name == "inside" ? std::optional<std::string>{"geheim\n"} : std::nullopt;
    };
    return result;
}

void check_diagnostics(const std::vector<config::Diagnostic>& diagnostics) {
    constexpr std::size_t longest = 4096;
    HF_ASSERT(!diagnostics.empty());
    for (const auto& diagnostic : diagnostics) {
        HF_ASSERT(!diagnostic.message.empty());
        HF_ASSERT(config::render(diagnostic).size() < longest);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto loaded = config::load(request(std::string{data, data + size}));
    if (!loaded) {
        check_diagnostics(loaded.error());
        return 0;
    }
    const auto text = config::dump(loaded->config);
    const auto again = config::load(request(text));
    HF_ASSERT(again.has_value());
    HF_ASSERT(again->config == loaded->config);
    HF_ASSERT(config::dump(again->config) == text);
    if (const auto warnings = lint::check(*loaded); !warnings.empty()) check_diagnostics(warnings);
    return 0;
}
