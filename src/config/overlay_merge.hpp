// Puts real servers that were added while the daemon ran beside those of the user's file. Invariant: the file wins, and a
// configuration that is valid without them stays valid: what does not fit is left out, and said.
#pragma once

#include "config/problems.hpp"
#include "config/source.hpp"
#include "config/tree.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace holdfast::config {

/// Something of an overlay that is not in force.
struct LeftOut {
    std::string server, real; ///< empty: the whole file
    Diagnostic why;
};
/// For people: what is left out, why, and the cure.
Diagnostic as_warning(const LeftOut&);

/// Where the user's files have it: "holdfast.yaml:12:9".
std::optional<std::string> place_of_real_server(const std::vector<Source>& files, std::string_view server,
                                                std::string_view real);

/// One load may take several attempts, each with less of the overlays than the one before.
class OverlayMerge {
  public:
    /// Another attempt: the files are read again.
    void begin();
    /// The overlays are read behind the user's files.
    void read(Sources&, unsigned file);
    void merge(const Sources&, std::vector<Node>& roots);
    /// The next attempt is without the servers that these problems lie in. False: they lie in none of them.
    bool leave_out(const Problems&, const Sources&);
    /// Nor is anything else of the overlays in it.
    void leave_out_all(const Diagnostic& why);

    std::vector<LeftOut> left_out() const;

  private:
    struct Added {
        std::string server;
        Entry real;
    };
    using Key = std::tuple<unsigned, std::string, std::string>;
    static Key key(const Added& added) { return {added.real.mark.file, added.server, added.real.key}; }
    const Added* at(Mark) const;
    void say(const Added&, const Sources&, Mark, std::string message, std::string hint);

    std::vector<Added> added_;     ///< in the order of their places
    std::vector<LeftOut> ignored_; ///< of this attempt
    std::map<Key, LeftOut> faulty_;
};

} // namespace holdfast::config
