// Other programs, by the name that $PATH has.
#pragma once

#include <string>
#include <vector>

namespace holdfast::ctl {

/// Becomes it (execvp(3)); returns only where it can't.
void try_to_become(std::vector<std::string> words);
/// What it writes to its stdout until it ends; empty also where there is none. Its stderr is nobody's.
std::string output_of(const std::vector<std::string>& words);

} // namespace holdfast::ctl
