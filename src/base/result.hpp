// The outcome of something that can fail in a way its caller must handle. Diagnostics for the operator are collected
// elsewhere (config/diagnostic), bugs are HF_ASSERT.
#pragma once

#include <expected>
#include <string>

namespace holdfast {

template <typename T, typename E = std::string>
using Result = std::expected<T, E>;

using std::unexpected;

/// The visitor that std::visit wants, built from lambdas.
template <typename... Fs>
struct Overloaded : Fs... {
    using Fs::operator()...;
};

} // namespace holdfast
