// TCP: a connection can be made, and is ended again; no byte is sent or read.
#pragma once

#include "prober/talk.hpp"

namespace holdfast::prober {

Conversation tcp_probe();

} // namespace holdfast::prober
