// The threads and what passes between them, built to run under ThreadSanitizer: mailboxes, the executor on a real kernel
// (a network namespace of its own), the loader on real files, and the record file that outlives a kill.

#include "base/mailbox.hpp"
#include "daemon/clock.hpp"
#include "daemon/loader.hpp"
#include "daemon/record_file.hpp"
#include "kernel/control.hpp"
#include "kernel/executor.hpp"
#include "kernel/observer.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <thread>

namespace holdfast {
namespace {

namespace fs = std::filesystem;

bool wait_readable(int fd, int milliseconds = 5000) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, milliseconds) == 1;
}

/// Takes until `count` values came.
template <typename T>
std::vector<T> take(Mailbox<T>& mailbox, std::size_t count) {
    std::vector<T> result;
    while (result.size() < count && wait_readable(mailbox.fd()))
        for (auto& value : mailbox.take())
            result.push_back(std::move(value));
    return result;
}

struct Directory {
    fs::path path;
    Directory() {
        std::string name = (fs::temp_directory_path() / "holdfast-test-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() { fs::remove_all(path); }
};

TEST(Mailbox, KeepsTheOrderOfEachSenderAndLosesNothing) {
    constexpr unsigned senders = 4, each = 20'000;
    Mailbox<std::pair<unsigned, unsigned>> mailbox;
    std::vector<std::thread> threads;
    for (unsigned sender = 0; sender < senders; ++sender)
        threads.emplace_back([&mailbox, sender] {
            for (unsigned i = 0; i < each; ++i)
                mailbox.push({sender, i});
        });
    const auto all = take(mailbox, std::size_t{senders} * each);
    for (auto& thread : threads)
        thread.join();
    ASSERT_EQ(all.size(), std::size_t{senders} * each);
    std::vector<unsigned> next(senders);
    for (const auto& [sender, number] : all)
        EXPECT_EQ(number, next[sender]++);
}

TEST(Mailbox, IsReadableOnlyWhileSomethingWaits) {
    Mailbox<int> mailbox;
    EXPECT_FALSE(wait_readable(mailbox.fd(), 0));
    mailbox.push(1);
    mailbox.push(2);
    EXPECT_TRUE(wait_readable(mailbox.fd(), 0));
    EXPECT_EQ(mailbox.take(), (std::vector{1, 2}));
    EXPECT_FALSE(wait_readable(mailbox.fd(), 0));
    EXPECT_TRUE(mailbox.take().empty());
}

// ---- the executor, on the kernel ------------------------------------------------------------------------------------------

class Kernel : public testing::Test {
  protected:
    void SetUp() override {
        if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "a network namespace of our own needs root";
        auto started = kernel::Executor::start([this](kernel::Outcome outcome) { outcomes_.push(std::move(outcome)); });
        ASSERT_TRUE(started);
        executor_ = std::move(*started);
    }
    void TearDown() override { executor_.reset(); }

    int run(std::uint64_t id, decltype(engine::Operation::what) what, Time not_after = never) {
        executor_->run({engine::OperationId{id}, not_after, std::move(what)});
        const auto answers = take(outcomes_, 1);
        if (answers.size() != 1) return -1;
        const auto& done = std::get<engine::OperationDone>(std::get<engine::Event>(answers[0]));
        EXPECT_EQ(done.id.value, id);
        return done.error;
    }
    static void raise_lo() {
        const Fd control{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
        ifreq up{};
        up.ifr_name[0] = 'l', up.ifr_name[1] = 'o';
        up.ifr_flags = IFF_UP;
        ASSERT_EQ(::ioctl(control.get(), SIOCSIFFLAGS, &up), 0);
    }
    engine::KernelListed list() {
        executor_->list();
        auto answers = take(outcomes_, 1);
        return answers.empty() ? engine::KernelListed{}
                               : std::get<engine::KernelListed>(std::get<engine::Event>(answers[0]));
    }

    Mailbox<kernel::Outcome> outcomes_;
    std::unique_ptr<kernel::Executor> executor_;
    const LinkIndex lo_{1};
    const Prefix vip_{IpAddress::v4(192, 0, 2, 10), 32};
};

TEST_F(Kernel, AddsAnAddressTaggedAndUnderALease) {
    ASSERT_EQ(run(1, engine::AddAddress{lo_, vip_, 5s, false}), 0);
    const auto listed = list();
    const auto at = std::ranges::find(listed.addresses, vip_, &engine::KernelAddress::prefix);
    ASSERT_NE(at, listed.addresses.end());
    EXPECT_TRUE(at->ours);
    ASSERT_TRUE(at->lifetime);
    EXPECT_LE(*at->lifetime, 5s);
    EXPECT_GE(*at->lifetime, 4s);
}

TEST_F(Kernel, NeverTouchesAnAddressThatIsThereAlready) {
    ASSERT_EQ(run(1, engine::AddAddress{lo_, vip_, std::nullopt, false}), 0);
    EXPECT_EQ(run(2, engine::AddAddress{lo_, vip_, 5s, false}), EEXIST);
}

TEST_F(Kernel, RenewsAndRemoves) {
    ASSERT_EQ(run(1, engine::AddAddress{lo_, vip_, 3s, false}), 0);
    EXPECT_EQ(run(2, engine::RenewAddress{lo_, vip_, 60s, false}), 0);
    const auto listed = list();
    const auto at = std::ranges::find(listed.addresses, vip_, &engine::KernelAddress::prefix);
    ASSERT_NE(at, listed.addresses.end());
    EXPECT_GT(*at->lifetime, 50s);
    EXPECT_EQ(run(3, engine::RemoveAddress{lo_, vip_}), 0);
    EXPECT_EQ(run(4, engine::RemoveAddress{lo_, vip_}), EADDRNOTAVAIL);
}

TEST_F(Kernel, DoesNotStartAnOperationAfterItsTime) {
    EXPECT_EQ(run(1, engine::AddAddress{lo_, vip_, 3s, false}, daemon::monotonic_now() - 1ms), ECANCELED);
    const auto listed = list();
    EXPECT_EQ(std::ranges::find(listed.addresses, vip_, &engine::KernelAddress::prefix), listed.addresses.end());
}

TEST_F(Kernel, GivesIpv6AddressesNoPreferenceAndNoDetection) {
    const Prefix vip{*parse_ip("2001:db8::10"), 128};
    ASSERT_EQ(run(1, engine::AddAddress{lo_, vip, 5s, false}), 0);
    const auto listed = list();
    const auto at = std::ranges::find(listed.addresses, vip, &engine::KernelAddress::prefix);
    ASSERT_NE(at, listed.addresses.end());
    EXPECT_FALSE(at->tentative);
}

TEST_F(Kernel, SetsPromoteSecondariesWithoutProcSys) {
    ASSERT_EQ(run(1, engine::PromoteSecondaries{lo_}), 0);
    std::string value;
    std::ifstream{"/proc/sys/net/ipv4/conf/lo/promote_secondaries"} >> value;
    EXPECT_EQ(value, "1");
}

TEST_F(Kernel, CarriesManyOperationsInOrder) {
    constexpr unsigned count = 1000;
    for (unsigned i = 0; i < count; ++i) {
        const Prefix prefix{IpAddress::v4(10, 1, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)), 32};
        executor_->run({engine::OperationId{i}, never, engine::AddAddress{lo_, prefix, 60s, false}});
    }
    const auto answers = take(outcomes_, count);
    ASSERT_EQ(answers.size(), count);
    for (unsigned i = 0; i < count; ++i) {
        const auto& done = std::get<engine::OperationDone>(std::get<engine::Event>(answers[i]));
        EXPECT_EQ(done.id.value, i);
        EXPECT_EQ(done.error, 0);
    }
    EXPECT_GE(list().addresses.size(), count);
}

TEST_F(Kernel, TellsTheObserverWhatItDid) {
    auto observer = kernel::Observer::open();
    ASSERT_TRUE(observer);
    ASSERT_EQ(run(1, engine::AddAddress{lo_, vip_, 5s, false}), 0);
    ASSERT_TRUE(wait_readable(observer->fd()));
    bool seen = false;
    EXPECT_TRUE(observer->read([&](engine::Event event) {
        const auto* changed = std::get_if<engine::AddressChanged>(&event);
        seen = seen || (changed && changed->address.prefix == vip_ && changed->address.ours);
    }));
    EXPECT_TRUE(seen);
}

TEST_F(Kernel, OpensSocketsThatJoinTheGroupAndClosesThem) {
    executor_->open(lo_, Family::ipv4);
    auto answers = take(outcomes_, 1);
    ASSERT_EQ(answers.size(), 1U);
    auto& opened = std::get<kernel::SocketsOpened>(answers[0]);
    ASSERT_TRUE(opened.sockets) << opened.sockets.error();
    executor_->close(std::move(*opened.sockets));
    executor_->open(LinkIndex{4711}, Family::ipv4);
    answers = take(outcomes_, 1);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_FALSE(std::get<kernel::SocketsOpened>(answers[0]).sockets);
}

/// An advert of `vrid` as bytes of protocol 112, to this host's loopback address.
void send_advert(const IpAddress& to, std::uint8_t vrid) {
    const std::array<std::uint8_t, 12> bytes{0x31, vrid, 100, 1, 0, 100, 0, 0, 192, 0, 2, 10};
    const Fd socket{::socket(to.family == Family::ipv4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 112)};
    const auto address = kernel::socket_address(to, 0);
    ASSERT_EQ(::sendto(socket.get(), bytes.data(), bytes.size(), 0, address.get(), address.size), 12);
}

std::optional<Vrid> vrid_of(const engine::Event& event) {
    if (const auto* received = std::get_if<engine::AdvertReceived>(&event)) return received->advert.vrid;
    const auto* rejected = std::get_if<engine::AdvertRejected>(&event);
    return rejected ? rejected->vrid : std::nullopt;
}

int memberships() {
    std::ifstream igmp{"/proc/thread-self/net/igmp"};
    int count = 0;
    for (std::string word; igmp >> word;)
        count += word == "120000E0" ? 1 : 0; // 224.0.0.18, as this file has it
    return count;
}

TEST_F(Kernel, SocketsThatWereKeptNeverLeftTheirGroupAndHaveWhatCameMeanwhile) {
    raise_lo();
    kernel::KeptSockets kept;
    {
        executor_->open(lo_, Family::ipv4);
        auto answers = take(outcomes_, 1);
        ASSERT_EQ(answers.size(), 1U);
        auto& before = std::get<kernel::SocketsOpened>(answers[0]);
        ASSERT_TRUE(before.sockets) << before.sockets.error();
        EXPECT_EQ((*before.sockets)->listen_for({.vrids = VridSet{}.set(51)}), 0);
        kept = {Fd{::fcntl((*before.sockets)->advert_fd(), F_DUPFD_CLOEXEC, 0)},
                Fd{::fcntl((*before.sockets)->ah_fd(), F_DUPFD_CLOEXEC, 0)}};
    }
    EXPECT_EQ(memberships(), 1);
    send_advert(*parse_ip("127.0.0.1"), 51);
    const int number = kept.adverts.get();
    executor_->open(lo_, Family::ipv4, std::move(kept));
    auto answers = take(outcomes_, 1);
    ASSERT_EQ(answers.size(), 1U);
    auto& after = std::get<kernel::SocketsOpened>(answers[0]);
    ASSERT_TRUE(after.sockets) << after.sockets.error();
    EXPECT_EQ((*after.sockets)->advert_fd(), number);
    std::size_t heard = 0;
    (*after.sockets)->read_adverts([&](const engine::Event&, Time) { ++heard; });
    EXPECT_EQ(heard, 1U);
}

TEST_F(Kernel, SocketsOfAnotherLinkFamilyOrKindAreNotTaken) {
    raise_lo();
    std::array<Fd, 3> others{Fd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)},
                             Fd{::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 112)},
                             Fd{::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 112)}}; // the last is bound to no link
    for (auto& foreign : others) {
        const int number = foreign.get();
        executor_->open(lo_, Family::ipv4, {std::move(foreign), {}});
        auto answers = take(outcomes_, 1);
        ASSERT_EQ(answers.size(), 1U);
        auto& opened = std::get<kernel::SocketsOpened>(answers[0]);
        ASSERT_TRUE(opened.sockets) << opened.sockets.error();
        EXPECT_NE((*opened.sockets)->advert_fd(), number);
    }
}

class Filtered : public Kernel, public testing::WithParamInterface<const char*> {};

TEST_P(Filtered, AdvertsOfOthersEndInTheKernel) {
    if (IsSkipped()) return;
    const auto here = *parse_ip(GetParam());
    raise_lo();
    executor_->open(lo_, here.family);
    auto answers = take(outcomes_, 1);
    ASSERT_EQ(answers.size(), 1U);
    auto& opened = std::get<kernel::SocketsOpened>(answers[0]);
    ASSERT_TRUE(opened.sockets) << opened.sockets.error();
    auto& sockets = **opened.sockets;

    for (const VridSet wanted :
         {VridSet{}.set(51), VridSet{}.set(1).set(255), VridSet{}.set(32).set(33).set(63).set(64)}) {
        EXPECT_EQ(sockets.listen_for({.vrids = wanted}), 0);
        VridSet heard;
        for (unsigned vrid = 1; vrid <= 255; ++vrid)
            send_advert(here, static_cast<std::uint8_t>(vrid));
        ASSERT_TRUE(wait_readable(sockets.advert_fd()));
        sockets.read_adverts([&](const engine::Event& event, Time) {
            if (const auto vrid = vrid_of(event)) heard.set(vrid->value);
        });
        EXPECT_EQ(heard, wanted);
    }
}

INSTANTIATE_TEST_SUITE_P(BothFamilies, Filtered, testing::Values("127.0.0.1", "::1"));

// ---- the loader -------------------------------------------------------------------------------------------------------------

TEST(Loader, ReadsTheFileAndItsDropInsOffTheCallersThread) {
    const Directory directory;
    const auto main_file = directory.path / "holdfast.yaml";
    std::ofstream{main_file} << "instances:\n  web: {interface: eth0, vrid: 1, addresses: [192.0.2.1]}\n";
    fs::create_directory(directory.path / "holdfast.yaml.d");
    std::ofstream{directory.path / "holdfast.yaml.d/10-more.yaml"}
        << "instances:\n  shop: {interface: eth0, vrid: 2, addresses: [192.0.2.2]}\n";
    Mailbox<daemon::LoadedConfig> done;
    daemon::Options options;
    options.config = main_file;
    options.node_name = "lb1";
    daemon::Loader loader{options, {}, [&done](daemon::LoadedConfig loaded) { done.push(std::move(loaded)); }};
    loader.load();
    auto loaded = take(done, 1);
    ASSERT_EQ(loaded.size(), 1U);
    ASSERT_TRUE(loaded[0].config);
    EXPECT_EQ(loaded[0].config->instances.size(), 2U);
    EXPECT_EQ(loaded[0].hash.size(), 16U);
    loader.dispose(std::move(loaded[0].config));
}

TEST(Loader, SaysWhatIsWrongWithAFileThatCantBeRead) {
    const Directory directory;
    daemon::Options options;
    for (const auto& path : {directory.path / "missing.yaml", directory.path}) {
        options.config = path;
        const auto loaded = daemon::load_config(options);
        EXPECT_FALSE(loaded.config);
        ASSERT_EQ(loaded.problems.size(), 1U);
        EXPECT_TRUE(loaded.problems[0].starts_with(path.string() + ": error: "));
    }
}

// ---- the record ---------------------------------------------------------------------------------------------------------------

engine::Record sample() {
    engine::Record record;
    record.routers.push_back({.slot = 3,
                              .name = "web",
                              .interface = "eth0",
                              .link = LinkIndex{2},
                              .vrid = Vrid{51},
                              .family = Family::ipv4,
                              .master = true,
                              .priority = Priority{250},
                              .interval = 1s,
                              .addresses = {{IpAddress::v4(192, 0, 2, 10), 24}}});
    return record;
}

TEST(RecordFile, GivesTheNextProcessWhatTheLastOneWrote) {
    const Directory directory;
    const auto when = daemon::boot_now();
    {
        auto file = daemon::RecordFile::open(directory.path / "state");
        ASSERT_TRUE(file);
        file->write(engine::Record{});
        file->write(sample());
        file->advert_sent(3, when);
    }
    auto file = daemon::RecordFile::open(directory.path / "state");
    ASSERT_TRUE(file);
    const auto record = file->read();
    ASSERT_TRUE(record) << record.error();
    ASSERT_EQ(record->routers.size(), 1U);
    EXPECT_EQ(record->routers[0].name, "web");
    EXPECT_EQ(record->routers[0].last_advert, when);
}

TEST(RecordFile, GoesOnWithWhatWasKeptWhenItsFileIsGone) {
    const Directory directory;
    const auto path = directory.path / "state";
    const auto when = daemon::boot_now();
    Fd kept;
    {
        auto file = daemon::RecordFile::open(path);
        ASSERT_TRUE(file);
        file->write(sample());
        file->advert_sent(3, when);
        kept.reset(::fcntl(file->descriptor().get(), F_DUPFD_CLOEXEC, 0));
    }
    fs::remove(path);
    std::ofstream{path} << "of somebody else";
    {
        auto file = daemon::RecordFile::open(path, std::move(kept));
        ASSERT_TRUE(file);
        const auto record = file->read();
        ASSERT_TRUE(record) << record.error();
        EXPECT_EQ(record->routers[0].last_advert, when);
        file->write(engine::Record{});
    }
    auto file = daemon::RecordFile::open(path);
    ASSERT_TRUE(file && file->read());
    EXPECT_TRUE(file->read()->routers.empty());
}

TEST(RecordFile, LivesInMemoryWhereNoFileCanBe) {
    const Directory directory;
    Fd kept{::memfd_create("kept", MFD_CLOEXEC)};
    auto file = daemon::RecordFile::open(directory.path / "no-such-folder" / "state", std::move(kept));
    ASSERT_TRUE(file);
    file->write(sample());
    EXPECT_EQ(file->read()->routers.size(), 1U);
}

TEST(RecordFile, FallsBackToTheOtherSlotWhenTheNewestIsTorn) {
    const Directory directory;
    const auto path = directory.path / "state";
    {
        auto file = daemon::RecordFile::open(path);
        ASSERT_TRUE(file);
        file->write(sample());
        file->write(engine::Record{});
    }
    // Sequence 2 stands in the first slot: damage its bytes behind the header.
    std::fstream raw{path, std::ios::in | std::ios::out | std::ios::binary};
    raw.seekp(static_cast<std::streamoff>(2 * engine::record_capacity * 8 + 16 + 9));
    raw.put('\x55');
    raw.close();
    auto file = daemon::RecordFile::open(path);
    ASSERT_TRUE(file);
    const auto record = file->read();
    ASSERT_TRUE(record) << record.error();
    EXPECT_EQ(record->routers.size(), 1U);
}

TEST(RecordFile, RefusesAnotherBootsRecordAndAnEmptyOne) {
    const Directory directory;
    const auto path = directory.path / "state";
    auto file = daemon::RecordFile::open(path);
    ASSERT_TRUE(file);
    EXPECT_FALSE(file->read());
    EXPECT_FALSE(daemon::RecordFile::open(directory.path)); // a directory
}

} // namespace
} // namespace holdfast
