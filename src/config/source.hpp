// The texts of one load: where a line stands, what of it may be shown. Invariant: an excerpt never shows a hidden
// region (a password) nor a control character, and its length is bounded.
#pragma once

#include "config/diagnostic.hpp"
#include "config/tree.hpp"
#include "model/origin.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::config {

/// A file as the loader read it: its name is for the operator's eyes only.
struct Source {
    std::string name;
    std::string text;
    model::Origin origin{model::Origin::file}; ///< of the real servers in it
};

class Sources {
  public:
    /// Adds a file (without its byte order mark) and gives its number.
    unsigned add(const Source&);
    std::string_view text(unsigned file) const { return files_[file].text; }
    std::string_view name(unsigned file) const { return files_[file].name; }
    model::Origin origin(unsigned file) const { return files_[file].origin; }

    /// From here to there (not included) nothing is ever shown.
    void hide(Mark from, Mark to);
    /// The place of a byte.
    Mark mark_at(unsigned file, std::size_t offset) const;
    std::string_view line(Mark) const;
    /// The text from here to the end of the file.
    std::string_view from(Mark) const;
    /// "holdfast.yaml:3:5", for a message that names a second place.
    std::string place(Mark) const;
    /// Sets file, line, column, source line and caret.
    void locate(Mark, Diagnostic&) const;

  private:
    struct File {
        std::string name;
        std::string text;
        model::Origin origin;
        std::vector<std::size_t> line_starts;
    };
    struct Region {
        Mark from, to;
    };
    unsigned column_in_characters(Mark) const;
    std::vector<Region> hidden_in_line(Mark) const;

    std::vector<File> files_;
    std::vector<Region> hidden_;
};

} // namespace holdfast::config
