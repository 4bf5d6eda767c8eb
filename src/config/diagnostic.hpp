// One thing to tell the operator about the configuration, and how it reads on a screen. Invariant: it stands for
// itself; it carries the source line (already shortened, free of control characters and secrets), so nobody needs the
// file again.
#pragma once

#include <string>
#include <vector>

namespace holdfast::config {

enum class Severity { error, warning };

struct Diagnostic {
    std::string file;   ///< empty: about the configuration as a whole
    unsigned line{0};   ///< from 1; 0: about the whole file
    unsigned column{0}; ///< from 1, in characters
    Severity severity{Severity::error};
    std::string message;
    std::string hint;   ///< the cure; may be empty
    std::string source; ///< the line of the file; empty: none to show
    unsigned caret{0};  ///< characters of `source` before the caret
    bool operator==(const Diagnostic&) const = default;
};

/// `file:line:column: error: message`, the source line, a caret under the place, `  hint: ...`; each line ends with \n.
std::string render(const Diagnostic&);
/// All of them, one after the other.
std::string render(const std::vector<Diagnostic>&);

} // namespace holdfast::config
