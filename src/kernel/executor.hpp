// Carries out kernel operations on a thread of its own and of ordinary priority, because every write waits for the kernel's
// RTNL lock, and so do joining and leaving a group: the loop hands these over and gets answers back. Operations run in order, in slices that are kept below a
// millisecond, and none starts after its `not_after`.
#pragma once

#include "base/mailbox.hpp"
#include "engine/action.hpp"
#include "engine/event.hpp"
#include "kernel/packet.hpp"
#include "kernel/socket.hpp"

#include <functional>
#include <thread>
#include <variant>

namespace holdfast::kernel {

/// The answer to open(): sockets, or an errno.
struct SocketsOpened {
    LinkIndex link{};
    Family family{};
    Result<std::unique_ptr<LinkSockets>, int> sockets;
};
/// OperationDone, KernelListed, or sockets.
using Outcome = std::variant<engine::Event, SocketsOpened>;

class Executor {
  public:
    /// `report` is called on the executor's thread. The error is an errno.
    static Result<std::unique_ptr<Executor>, int> start(std::function<void(Outcome)> report);
    ~Executor();
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    void run(engine::Operation operation) { requests_.push(std::move(operation)); }
    void watch(engine::WatchRoutes routes) { requests_.push(std::move(routes)); }
    void list() { requests_.push(engine::ListKernel{}); }
    void open(LinkIndex link, Family family, KeptSockets kept = {}) {
        requests_.push(Open{link, family, std::move(kept)});
    }
    /// Closing leaves the group, which can block as well.
    void close(std::unique_ptr<LinkSockets> sockets) { requests_.push(std::move(sockets)); }

  private:
    struct Stop {};
    struct Open {
        LinkIndex link{};
        Family family{};
        KeptSockets kept;
    };
    using Request = std::variant<engine::Operation, engine::ListKernel, engine::WatchRoutes, Open,
                                 std::unique_ptr<LinkSockets>, Stop>;
    using Slice = std::vector<engine::Operation>;

    Executor(NetlinkSocket socket, std::function<void(Outcome)> report);
    void loop();
    void execute(Slice& slice);
    void collect_answers(const Slice& slice, std::uint32_t first_sequence);
    void list_kernel();
    int list_routes(engine::KernelListed& into);
    int dump(const Bytes& request, std::uint32_t sequence, engine::KernelListed& into);
    void take(engine::Event event, engine::KernelListed& into) const;

    NetlinkSocket socket_;
    std::function<void(Outcome)> report_;
    Mailbox<Request> requests_;
    std::vector<engine::WatchRoutes::Where> watched_;
    std::uint32_t sequence_{1};
    std::size_t slice_size_; ///< adapted to what a millisecond can carry
    std::vector<std::uint8_t> buffer_;
    std::thread thread_;
};

} // namespace holdfast::kernel
