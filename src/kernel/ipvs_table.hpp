// The kernel's load balancer over one generic netlink socket: programs steps, reads the whole table. The kernel answers before
// send() returns, so nothing here waits: what is not there to be read was lost, and says so.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "engine/ipvs.hpp"
#include "kernel/ipvs_message.hpp"
#include "kernel/ipvs_reply.hpp"

#include <functional>
#include <memory>
#include <span>

namespace holdfast::kernel {

/// What is needed of a socket, so that a test can be the kernel.
class Channel {
  public:
    virtual ~Channel() = default;
    /// 0 or an errno.
    virtual int send(ByteView messages) = 0;
    /// A datagram that waits, empty when none does, or an errno. ENOBUFS: one was lost; others may wait.
    virtual Result<ByteView, int> receive() = 0;
};
/// The error is an errno.
Result<std::unique_ptr<Channel>, int> open_generic_netlink();

class IpvsTable {
  public:
    using Open = std::function<Result<std::unique_ptr<Channel>, int>()>;
    /// Nothing is opened before the first request.
    explicit IpvsTable(Open open = open_generic_netlink) : open_{std::move(open)} {}

    engine::IpvsDone program(const engine::ProgramIpvs&);
    engine::IpvsListed list() { return *read(false); }
    /// As ListIpvs says; nothing: there are no others.
    std::optional<engine::IpvsListed> glance() { return read(true); }

  private:
    int prepare();
    int find_family();
    IpvsRequest next_request(bool acknowledge = true) { return {family_, sequence_++, acknowledge}; }
    void run(std::span<const engine::IpvsStep> steps, std::span<int> outcomes);
    void execute(std::span<const engine::IpvsStep> slice, std::span<int> outcomes);
    void collect_answers(std::uint32_t first_sequence, std::span<int> outcomes);
    std::optional<engine::IpvsListed> read(bool glance);
    int read_services(engine::IpvsListed& into);
    int read_rest(engine::IpvsListed& into);
    int read_destinations(engine::IpvsListedService& of);
    int exchange(const Bytes& request, std::uint32_t sequence, const std::function<void(const GenericMessage&)>& each);

    Open open_;
    std::unique_ptr<Channel> channel_;
    std::uint16_t family_{0}; ///< 0: not known
    std::uint32_t sequence_{1};
    /// Of the last list; nothing: there is none, or steps were taken since.
    std::optional<std::vector<engine::IpvsService>> seen_;
};

} // namespace holdfast::kernel
