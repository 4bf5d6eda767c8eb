#include "kernel/executor.hpp"

#include "kernel/rtnl.hpp"
#include "kernel/rtnl_route.hpp"
#include "kernel/sysctl.hpp"

#include <algorithm>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <set>
#include <time.h>

namespace holdfast::kernel {
namespace {

constexpr Duration slice_time = 1ms;
/// The kernel takes RTNL for each operation of a slice anew, and where others want it too most of the time is waiting: fewer at a
/// time would hold nobody up for less, but pay two threads' waking for each.
constexpr std::size_t smallest_slice = 16, largest_slice = 256;
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
    socket->filter_dumps();
    return std::unique_ptr<Executor>{new Executor{std::move(*socket), std::move(report)}};
}

Executor::Executor(NetlinkSocket socket, std::function<void(Outcome)> report)
    : socket_{std::move(socket)}, report_{std::move(report)}, slice_size_{smallest_slice}, buffer_(receive_size) {
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
            if (auto* routes = std::get_if<engine::WatchRoutes>(&request)) watched_ = std::move(routes->where);
            if (std::holds_alternative<engine::ListKernel>(request)) list_kernel();
            if (auto* open = std::get_if<Open>(&request))
                report_(SocketsOpened{open->link, open->family,
                                      LinkSockets::open(open->link, open->family, std::move(open->kept))});
            if (auto* sockets = std::get_if<std::unique_ptr<LinkSockets>>(&request)) sockets->reset();
        }
        execute(slice);
    }
}

/// One sendmsg: nothing else is written before the whole slice is through, so its size follows what a millisecond carries.
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
        slice_size_ = std::max(smallest_slice, slice_size_ / 2);
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
        const auto links = sequence_++, addresses = sequence_++;
        if (dump(encode_dump(RTM_GETLINK, links), links, listed) == 0 &&
            dump(encode_dump(RTM_GETADDR, addresses), addresses, listed) == 0 && list_routes(listed) == 0)
            break;
    }
    report_(std::move(listed));
}

/// The kernel picks those of ours, however long its tables are. A whole table is read only for a tracker.
int Executor::list_routes(engine::KernelListed& into) {
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        const auto sequence = sequence_++;
        if (const int error = dump(encode_route_dump(family, sequence), sequence, into)) return error;
    }
    std::set<std::pair<Family, std::uint32_t>> tables;
    for (const auto& where : watched_)
        tables.emplace(where.to.address.family, where.table);
    for (const auto& [family, table] : tables) {
        const auto sequence = sequence_++;
        const int error = dump(encode_table_dump(family, table, sequence), sequence, into);
        if (error != 0 && error != ENOENT) return error; // a table without routes does not exist
    }
    const auto sequence = sequence_++;
    return dump(encode_rule_dump(sequence), sequence, into);
}

void Executor::take(engine::Event event, engine::KernelListed& into) const {
    if (auto* link = std::get_if<engine::LinkChanged>(&event)) into.links.push_back(std::move(link->link));
    if (auto* address = std::get_if<engine::AddressChanged>(&event)) into.addresses.push_back(address->address);
    if (auto* rule = std::get_if<engine::RuleChanged>(&event)) into.rules.push_back(std::move(rule->rule));
    const auto* route = std::get_if<engine::RouteChanged>(&event);
    if (route && (route->route.ours || is_watched(route->route, watched_))) into.routes.push_back(route->route);
}

int Executor::dump(const Bytes& request, std::uint32_t sequence, engine::KernelListed& into) {
    if (const int error = socket_.send(request)) return error;
    int result = 0;
    for (bool done = false; !done;) {
        const auto bytes = socket_.receive(buffer_);
        if (!bytes) return bytes.error();
        for_each_message(*bytes, [&](const nlmsghdr& message) {
            if (message.nlmsg_seq != sequence) return;
            if ((message.nlmsg_flags & NLM_F_DUMP_INTR) != 0) result = EINTR;
            if (message.nlmsg_type == NLMSG_DONE) {
                done = true;
                if (const int error = dump_error_of(message)) result = error;
            }
            if (message.nlmsg_type == NLMSG_ERROR) {
                done = true;
                result = error_of(message);
            }
            if (auto event = decode(message)) take(std::move(*event), into);
        });
    }
    return result;
}

} // namespace holdfast::kernel
