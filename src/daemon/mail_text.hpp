// The words of a mail about a transition. Pure, so that tests read them.
#pragma once

#include "engine/snapshot.hpp"
#include "model/mail.hpp"

#include <ctime>
#include <string>

namespace holdfast::daemon {

/// Header and body (RFC 5322), lines end with CR LF. `sent` is wall time, `number` makes the Message-ID one of its own.
std::string mail_text(const model::Mail&, const engine::Transition&, const std::string& node, std::time_t sent);

} // namespace holdfast::daemon
