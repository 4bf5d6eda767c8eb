// DNS by UDP (RFC 1035): a query is answered with RCODE 0. Invariant: what is no answer to this very query (its number, its
// question) is passed over, whatever it says, and the records of an answer are walked by libresolv and never followed.
#pragma once

#include "prober/talk.hpp"

namespace holdfast::prober {

/// Nothing when the name is none.
std::optional<Bytes> dns_query(const model::DnsCheck& check, std::uint16_t number);
/// What `datagram` says about `query`; nothing when it answers another one.
std::optional<Outcome> dns_answer(ByteView query, ByteView datagram);

Conversation dns_probe(const model::DnsCheck& check, std::uint16_t number);

} // namespace holdfast::prober
