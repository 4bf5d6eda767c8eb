// A bug stops the daemon at once: always on, also in release builds. Dying loses nothing (the next process adopts
// the addresses it finds), going on with a broken invariant can. Never used for input or for a failed call.
#pragma once

#define HF_ASSERT(condition)                                                                                           \
    do {                                                                                                               \
        if (!(condition)) ::holdfast::assertion_failed(#condition, __FILE__, __LINE__);                                \
    } while (false)
/// Where no value of an enumeration leads to.
#define HF_UNREACHABLE(what) ::holdfast::assertion_failed(what, __FILE__, __LINE__)

namespace holdfast {

/// Prints one line on stderr and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

} // namespace holdfast
