// Rows of a real server that its virtual server has too, for all of them.
#pragma once

#include "config/server.hpp"

namespace holdfast::config {

Directive<model::RealServer> forwarding_row();
Directive<model::RealServer> tunnel_row();
Directive<model::RealServer> check_row();
Directive<model::RealServer> checks_row();
Directive<model::RealServer> inhibit_row();
Directive<model::RealServer> weight_row(std::string_view help);

} // namespace holdfast::config
