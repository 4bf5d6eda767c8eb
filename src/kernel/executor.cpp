#include "kernel/executor.hpp"

#include "kernel/rtnl.hpp"
#include "kernel/sysctl.hpp"

#include <algorithm>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>

namespace holdfast::kernel {
namespace {

constexpr Duration slice_time = 1ms;
constexpr std::size_t largest_slice = 256;
constexpr std::size_t receive_size = std::size_t{1} << 17; // dumps come in datagrams of up to 32 KiB, acks are small

Time clock_now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return Time{std::chrono::seconds{now.tv_sec} + Duration{now.tv_nsec}};
}

} // namespace

Result<std::unique_ptr<Executor>, int> Executor::start(std::function<void(Outcome)> report) {
    auto socket = NetlinkSocket::open({}, true);
    if (!socket) return unexpected{socket.error()};
    return std::unique_ptr<Executor>{new Executor{std::move(*socket), std::move(report)}};
}

Executor::Executor(NetlinkSocket socket, std::function<void(Outcome)> report)
    : socket_{std::move(socket)}, report_{std::move(report)}, buffer_(receive_size) {
    thread_ = std::thread{[this] { loop(); }};
    pthread_setname_np(thread_.native_handle(), "executor");
}

Executor::~Executor() {
    requests_.push(Stop{});
    thread_.join();
}

void Executor::loop() {
    for (;;) {
        pollfd wait{requests_.fd(), POLLIN, 0};
        ::poll(&wait, 1, -1);
        Slice slice;
        for (auto& request : requests_.take()) {
            if (auto* operation = std::get_if<engine::Operation>(&request)) {
                slice.push_back(std::move(*operation));
                if (slice.size() >= slice_size_) execute(slice);
                continue;
            }
            execute(slice);
            if (std::holds_alternative<Stop>(request)) return;
            if (std::holds_alternative<engine::ListKernel>(request)) list_kernel();
            if (const auto* listen = std::get_if<engine::Listen>(&request))
                report_(SocketsOpened{listen->link, listen->family, LinkSockets::open(listen->link, listen->family)});
            if (auto* sockets = std::get_if<std::unique_ptr<LinkSockets>>(&request)) sockets->reset();
        }
        execute(slice);
    }
}

/// One sendmsg: the kernel runs the whole slice under RTNL, so its size follows what a millisecond carries.
void Executor::execute(Slice& slice) {
    const auto began = clock_now();
    Slice timely;
    Bytes batch;
    const auto first_sequence = sequence_;
    for (auto& operation : slice) {
        if (began > operation.not_after) {
            report_(engine::OperationDone{operation.id, ECANCELED});
            continue;
        }
        put(batch, encode(operation, sequence_++));
        timely.push_back(std::move(operation));
    }
    slice.clear();
    if (timely.empty()) return;
    if (const int error = socket_.send(batch)) {
        for (const auto& operation : timely)
            report_(engine::OperationDone{operation.id, error});
        return;
    }
    collect_answers(timely, first_sequence);
    const auto took = clock_now() - began;
    if (took > slice_time)
        slice_size_ = std::max<std::size_t>(1, slice_size_ / 2);
    else if (timely.size() == slice_size_ && took < slice_time / 2)
        slice_size_ = std::min(largest_slice, slice_size_ * 2);
}

void Executor::collect_answers(const Slice& slice, std::uint32_t first_sequence) {
    std::vector<bool> answered(slice.size());
    std::size_t missing = slice.size();
    while (missing > 0) {
        const auto bytes = socket_.receive(buffer_);
        if (!bytes) { // lost answers: the engine lists the kernel anew and sees what happened
            for (std::size_t i = 0; i < slice.size(); ++i)
                if (!answered[i]) report_(engine::OperationDone{slice[i].id, EEXIST});
            return;
        }
        for_each_message(*bytes, [&](const nlmsghdr& message) {
            const std::size_t index = message.nlmsg_seq - first_sequence;
            if (message.nlmsg_type != NLMSG_ERROR || index >= slice.size() || answered[index]) return;
            answered[index] = true;
            --missing;
            const auto* configured = std::get_if<engine::ConfigureLink>(&slice[index].what);
            if (configured && configured->has_ipv6) refuse_router_advertisements(configured->link);
            report_(engine::OperationDone{slice[index].id, error_of(message)});
        });
    }
}

void Executor::list_kernel() {
    constexpr int tries = 5; // a dump that was interrupted by changes (NLM_F_DUMP_INTR) is begun again
    engine::KernelListed listed;
    for (int i = 0; i < tries; ++i) {
        listed = {};
        if (dump(RTM_GETLINK, listed) == 0 && dump(RTM_GETADDR, listed) == 0) break;
    }
    report_(std::move(listed));
}

int Executor::dump(std::uint16_t type, engine::KernelListed& into) {
    const auto sequence = sequence_++;
    if (const int error = socket_.send(encode_dump(type, sequence))) return error;
    int result = 0;
    for (bool done = false; !done;) {
        const auto bytes = socket_.receive(buffer_);
        if (!bytes) return bytes.error();
        for_each_message(*bytes, [&](const nlmsghdr& message) {
            if (message.nlmsg_seq != sequence) return;
            if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0) result = EINTR;
            if (message.nlmsg_type == NLMSG_DONE) done = true;
            if (message.nlmsg_type == NLMSG_ERROR) {
                done = true;
                result = error_of(message);
            }
            auto event = decode(message);
            if (!event) return;
            if (auto* link = std::get_if<engine::LinkChanged>(&*event)) into.links.push_back(std::move(link->link));
            if (auto* address = std::get_if<engine::AddressChanged>(&*event))
                into.addresses.push_back(address->address);
        });
    }
    return result;
}

} // namespace holdfast::kernel
