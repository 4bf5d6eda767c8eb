// Notes for people: structured entries of the journal when stderr is the journal, else plain `<N>text` lines on stderr;
// never both. Never waits for a reader: lines that stderr does not take are counted and told.
#pragma once

#include "engine/note.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::bus {

class Journal {
  public:
    Journal();

    void write(const engine::Note& note, std::string_view node);
    /// Why notes don't go to the journal, for the status; nothing when they do.
    std::optional<std::string> missing() const;

  private:
    bool send(const engine::Note& note, std::string_view node) const;
    void print(const engine::Note& note);

    bool stderr_is_journal_;
    unsigned dropped_{0};
};

/// 32 hex digits, one for each kind; systemd/holdfast.catalog explains them.
std::string_view message_id(engine::NoteKind);

} // namespace holdfast::bus
