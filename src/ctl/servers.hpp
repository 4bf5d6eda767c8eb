// Virtual servers and real servers as a command line names them, for the commands that tell them something.
#pragma once

#include "ctl/connection.hpp"
#include "ctl/output.hpp"

#include <string>

namespace holdfast::ctl {

struct ServerName {
    std::string server, real;
};
/// "SERVER/NAME"; anything else is wrong usage.
ServerName parse_server_name(const std::string&);

/// Of Describe(). Failure NoSuchServer when there is none.
Json find_server(const Json& node, const std::string& server);
Json find_real(const Json& node, const ServerName&);

/// A line whenever the number of its connections changes, until it is out of the table; as JSON, nothing. False: somebody
/// enabled it.
bool wait_for_drain(Connection&, const Look&, const std::string& name);

} // namespace holdfast::ctl
