// The directives whose value is a list or a map: addresses, track, authentication, words. Invariant: what comes
// back was complained about in full, or not at all.
#pragma once

#include "config/directive.hpp"
#include "model/mail.hpp"

#include <optional>
#include <vector>

namespace holdfast::config {

enum class Addresses {
    advertised, ///< at least one, at most 255 of a family
    excluded,   ///< any number, at most 10,000
};
std::optional<std::vector<model::VirtualAddress>> read_addresses(Context&, std::string_view word, const Node&,
                                                                 Addresses);
std::string write_addresses(const std::vector<model::VirtualAddress>&);

std::optional<std::vector<model::TrackUse>> read_track(Context&, const Node&);
std::string write_track(const std::vector<model::TrackUse>&);

enum class NotifyOf : std::uint8_t { instance, group };
std::optional<model::Notify> read_notify(Context&, const Node&, NotifyOf);
std::string write_notify(const model::Notify&);

std::optional<model::Authentication> read_authentication(Context&, const Node&);
std::string write_authentication(const model::Authentication&, Secrets);
/// "pass", "ah" or "hmac".
std::string_view type_name(const model::Authentication&);

std::optional<model::Unicast> read_unicast(Context&, const Node&);
std::string write_unicast(const model::Unicast&);

/// Nothing: complained; nothing inside: off.
std::optional<std::optional<model::VirtualMac>> read_virtual_mac(Context&, const Node&);
std::string write_virtual_mac(const model::VirtualMac&);

std::optional<std::optional<model::Ipvlan>> read_ipvlan(Context&, const Node&);
std::string write_ipvlan(const model::Ipvlan&);

/// The list `static_addresses`: each on an interface of its own choice.
std::optional<std::vector<model::StaticAddress>> read_static_addresses(Context&, const Node&,
                                                                       const std::vector<std::string>& groups);
std::string write_static_addresses(const std::vector<model::StaticAddress>&);

enum class WordsAre {
    program, ///< to run: the first one is an absolute path
    words,   ///< to compare
};
std::optional<model::Words> read_words(Context&, std::string_view word, const Node&, WordsAre);
std::string write_words(const model::Words&);

std::span<const Directive<model::Mail>> mail_directives();
std::optional<model::Mail> read_mail(Context&, const Node&);

std::span<const Directive<model::AnnounceGroup>> announce_group_directives();
/// Sorted by name; an interface is in one of them at most.
std::vector<model::AnnounceGroup> read_announce_groups(Context&, const std::vector<const Entry*>&);

std::span<const Directive<model::BfdTracker>> bfd_directives();
std::optional<model::BfdTracker> read_bfd(Context&, const Node&);
std::string write_bfd(const model::BfdTracker&);

} // namespace holdfast::config
