// The scalar types of a check's directives: statuses, digests, bytes in hexadecimal. Invariant: as value.hpp's.
#pragma once

#include "config/value.hpp"
#include "model/check.hpp"

namespace holdfast::config {

/// "md5:..." or "sha256:...", of the whole body.
struct DigestText {
    using Value = model::BodyDigest;
    std::string values() const { return "md5:HEX or sha256:HEX"; }
    Parsed<model::BodyDigest> parse(const Node&) const;
    std::string print(const model::BodyDigest&) const;
};

/// "200" or "200-299".
Parsed<model::StatusRange> parse_status(const Node&);
std::string print(const model::StatusRange&);

/// "01ff"; with `wild`, XX stands for a byte that may be anything (its mask is 0).
struct HexBytes {
    Bytes bytes, mask;
};
Parsed<HexBytes> parse_hex(const Node&, bool wild);
std::string print_hex(const Bytes& bytes, const Bytes& mask);

Parsed<std::string> check_http_path(const Node&);
Parsed<std::string> check_dns_name(const Node&);
/// A host name, for a Host header or SNI.
Parsed<std::string> check_host(const Node&);
Parsed<std::string> check_http_method(const Node&);
/// Any text without control characters, 1 to 1024 bytes.
Parsed<std::string> check_plain_text(const Node&);

} // namespace holdfast::config
