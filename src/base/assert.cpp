#include "base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace holdfast {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
    std::fprintf(stderr, "<2>holdfast: bug at %s:%d: '%s' does not hold; aborting, a restart adopts the addresses\n",
                 file, line, condition);
    std::abort();
}

} // namespace holdfast
