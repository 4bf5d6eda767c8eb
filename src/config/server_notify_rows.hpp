// `notify` of virtual servers and real servers. Invariant: a real server has its virtual server's as a whole, or its own.
#pragma once

#include "config/server.hpp"

namespace holdfast::config {

Directive<model::RealServer> real_notify_row();
Directive<ServerText> server_notify_row();
/// The map behind its name; `inherited` is what it would have if it said nothing.
std::string write_real_server(const model::RealServer&, const model::ServerNotify& inherited);

} // namespace holdfast::config
