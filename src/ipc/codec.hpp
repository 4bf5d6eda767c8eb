// Messages to bytes and back. One message is one packet: a version byte, a kind byte, then the fields in network order,
// no padding, nothing after the last. Invariant: the decoder reads only what is there, allocates no more than a small
// multiple of the packet, and yields either a value that passes `valid` or an error in words.
#pragma once

#include "base/bytes.hpp"
#include "ipc/message.hpp"

namespace holdfast::ipc {

/// Errors: a field out of its limits (valid), or a message longer than max_packet.
Result<Bytes> encode(const Request&);
Result<Bytes> encode(const Report&);

Result<Request> decode_request(ByteView packet);
Result<Report> decode_report(ByteView packet);

} // namespace holdfast::ipc
