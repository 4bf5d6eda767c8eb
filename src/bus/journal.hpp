// Notes for people: structured entries of the journal when stderr is the journal, or with $HOLDFAST_JOURNAL=1 in a container
// that has its socket; else plain `<N>text` lines on stderr; never both. Never waits for a reader: what the journal does not
// take goes to stderr, and lines that stderr does not take either are counted and told.
#pragma once

#include "engine/note.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast::bus {

class Journal {
  public:
    enum class Target : std::uint8_t { journal, console };
    static constexpr const char* identifier = "holdfastd";

    Journal();

    /// Notes of a higher number (syslog(3)) are left out.
    unsigned level() const { return level_; }
    void set_level(unsigned level) { level_ = level; }
    Target target() const { return target_; }
    /// False: there is no journal, missing() says why.
    bool set_target(Target target);
    void write(const engine::Note& note, std::string_view node);
    /// Why notes don't go to the journal, for the status; nothing when they do.
    std::optional<std::string> missing() const;

  private:
    bool send(const engine::Note& note, std::string_view node) const;
    void print(const engine::Note& note);

    bool wanted_; ///< the journal: stderr is it, or it was asked for
    Target target_;
    unsigned level_{std::to_underlying(engine::Severity::info)};
    unsigned dropped_{0};
};

/// 32 hex digits, one for each kind; systemd/holdfast.catalog explains them.
std::string_view message_id(engine::NoteKind);

} // namespace holdfast::bus
