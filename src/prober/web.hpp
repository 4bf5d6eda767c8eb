// Plain HTTP/1, without a library: the price of a probe is close to that of a TCP one (docs/decisions/0030). The requests of a
// check are made one after another, each on a connection of its own. Invariant: what a server sends can only make a probe good or
// bad, is never followed or unpacked, and no more of it is taken than HttpReader and Body want.
#pragma once

#include "prober/http_plan.hpp"
#include "prober/talk.hpp"

namespace holdfast::prober {

/// Of a plan that is plain.
Conversation web_probe(std::shared_ptr<const HttpPlan>);

} // namespace holdfast::prober
