// The sockets of BFD (RFC 5881 4, RFC 5883 5): one that receives for all sessions of a family and port, and one for each
// session to send from. Nothing here blocks, so the loop opens them itself.
#pragma once

#include "base/bytes.hpp"
#include "base/fd.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"
#include "model/bfd.hpp"

#include <functional>

namespace holdfast::kernel {

struct BfdDatagram {
    IpAddress source, destination;
    unsigned hop_limit{}; ///< 0: the kernel did not tell
    ByteView bytes;
};

class BfdReceiver {
  public:
    /// The error is an errno: EADDRINUSE when another program speaks BFD here.
    static Result<BfdReceiver, int> open(Family family, bool multihop);

    int fd() const { return fd_.get(); }
    /// Everything that waits.
    void read(const std::function<void(const BfdDatagram&)>&) const;

  private:
    BfdReceiver(Fd fd, Family family) : fd_{std::move(fd)}, family_{family} {}
    Fd fd_;
    Family family_;
};

class BfdSender {
  public:
    /// From a port between 49152 and 65535, `first_port` or near it.
    static Result<BfdSender, int> open(const model::BfdTracker&, std::uint16_t first_port);
    /// What can't leave is lost, as on any wire.
    void send(ByteView) const;

  private:
    BfdSender(Fd fd, const model::BfdTracker& settings)
        : fd_{std::move(fd)}, neighbor_{settings.neighbor}, multihop_{settings.multihop} {}
    Fd fd_;
    IpAddress neighbor_;
    bool multihop_;
};

} // namespace holdfast::kernel
