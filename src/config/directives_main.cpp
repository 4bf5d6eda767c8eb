// holdfast-directives: prints docs/directives.md. A build tool, not installed.
#include "config/document.hpp"

#include <cstdio>

int main() {
    const auto text = holdfast::config::directives_markdown();
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
