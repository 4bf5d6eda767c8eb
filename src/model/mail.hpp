// Where mail about transitions goes, and how it is delivered.
#pragma once

#include "base/time.hpp"

#include <optional>
#include <string>
#include <vector>

namespace holdfast::model {

/// Whether a connection to smtp:// is encrypted by STARTTLS (RFC 3207); smtps:// always is, and verified.
enum class MailTls : std::uint8_t {
    opportunistic, ///< when the server offers it, whoever it is
    required,      ///< by a server that proves its name, or nothing is sent
    off,
};

struct MailLogin {
    std::string user, password;
    bool operator==(const MailLogin&) const = default;
};

struct Mail {
    std::string server; ///< smtp://HOST[:PORT] or smtps://HOST[:PORT]
    std::string from;
    std::vector<std::string> to; ///< not empty
    MailTls tls{MailTls::opportunistic};
    std::optional<MailLogin> login;
    std::string ca_file;    ///< of the certificates that are trusted; empty: the system's
    std::string hello;      ///< what this host calls itself; empty: its node name
    Duration timeout{30s};  ///< of one attempt
    Duration retry_for{1h}; ///< then a message is given up
    bool operator==(const Mail&) const = default;
};

} // namespace holdfast::model
