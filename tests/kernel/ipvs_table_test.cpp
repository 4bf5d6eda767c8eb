// The load balancer's table against a kernel of ours: what is told when answers are lost, dumps are interrupted, and the module
// comes and goes.

#include "kernel/ipvs.hpp"

#include "kernel/rtnl.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <gtest/gtest.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>

namespace holdfast::kernel {
namespace {

constexpr std::size_t header_size = sizeof(nlmsghdr), code_size = sizeof(int);

void put_attribute(Bytes& out, std::uint16_t type, ByteView value) {
    const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
    const auto* first = reinterpret_cast<const std::uint8_t*>(&header);
    put(out, {first, sizeof header});
    put(out, value);
    while (out.size() % 4 != 0)
        put8(out, 0);
}
template <typename Number>
void put_number(Bytes& out, std::uint16_t type, Number number) {
    put_attribute(out, type, {reinterpret_cast<const std::uint8_t*>(&number), sizeof number});
}
void put_string(Bytes& out, std::uint16_t type, const char* text) {
    put_attribute(out, type, {reinterpret_cast<const std::uint8_t*>(text), std::strlen(text) + 1});
}

/// What a mark's service is in a dump.
Bytes service_of_mark(std::uint32_t mark) {
    Bytes inner, out;
    put_number<std::uint16_t>(inner, IPVS_SVC_ATTR_AF, 2);
    put_number<std::uint32_t>(inner, IPVS_SVC_ATTR_FWMARK, mark);
    put_string(inner, IPVS_SVC_ATTR_SCHED_NAME, "rr");
    put_number<std::uint64_t>(inner, IPVS_SVC_ATTR_FLAGS, 0xffffffff'00000002); // hashed
    put_number<std::uint32_t>(inner, IPVS_SVC_ATTR_TIMEOUT, 0);
    put_number<std::uint32_t>(inner, IPVS_SVC_ATTR_NETMASK, 0xffffffff);
    put_attribute(out, IPVS_CMD_ATTR_SERVICE, inner);
    return out;
}

Bytes destination_at(std::uint8_t last) {
    Bytes inner, out;
    put_attribute(inner, IPVS_DEST_ATTR_ADDR, IpAddress::v4(192, 0, 2, last).bytes);
    put_attribute(inner, IPVS_DEST_ATTR_PORT, Bytes{0, 80});
    for (const auto type :
         {IPVS_DEST_ATTR_FWD_METHOD, IPVS_DEST_ATTR_WEIGHT, IPVS_DEST_ATTR_U_THRESH, IPVS_DEST_ATTR_L_THRESH})
        put_number<std::uint32_t>(inner, static_cast<std::uint16_t>(type), 0);
    put_attribute(out, IPVS_CMD_ATTR_DEST, inner);
    return out;
}

/// What a test may make go wrong, and what it can look at.
struct Kernel {
    std::uint16_t family{0x20}; ///< 0: there is no module
    int opened{0}, families_asked{0}, sends{0};
    std::size_t messages{0};
    std::vector<std::uint32_t> marks{1, 2};                         ///< of the services that it has
    std::function<int(std::size_t)> refuse{[](auto) { return 0; }}; ///< the n-th step
    std::function<bool(std::size_t)> lose{[](auto) { return false; }};
    int interruptions{0}; ///< so many dumps are
    int forbidden{0};     ///< an errno for everything of the family
    std::deque<Result<Bytes, int>> waiting;
    std::size_t steps{0}, answers{0};

    void answer(Bytes datagram) {
        if (lose(answers++))
            waiting.emplace_front(unexpected{ENOBUFS}); // the error is told before what waits
        else
            waiting.emplace_back(std::move(datagram));
    }
    static Bytes message(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, ByteView body) {
        const nlmsghdr header{static_cast<std::uint32_t>(header_size + body.size()), type, flags, sequence, 0};
        Bytes out(header_size);
        std::memcpy(out.data(), &header, header_size);
        put(out, body);
        return out;
    }
    void acknowledge(const nlmsghdr& request, int error) {
        Bytes body(code_size + header_size);
        const int code = -error;
        std::memcpy(body.data(), &code, code_size);
        std::memcpy(body.data() + code_size, &request, header_size);
        answer(message(NLMSG_ERROR, 0, request.nlmsg_seq, body));
    }
    void reply(const nlmsghdr& request, std::uint8_t command, ByteView attributes) {
        Bytes body{command, 1, 0, 0};
        put(body, attributes);
        const bool is_dump = (request.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
        const std::uint16_t flags = is_dump && interruptions > 0 ? NLM_F_DUMP_INTR : 0;
        answer(message(request.nlmsg_type, flags, request.nlmsg_seq, body));
    }
    void take(const nlmsghdr& request) {
        ++messages;
        const auto command = reinterpret_cast<const std::uint8_t*>(&request)[header_size];
        if (request.nlmsg_type == GENL_ID_CTRL) return tell_family(request);
        if (request.nlmsg_type != family) return acknowledge(request, ENOENT);
        if (forbidden != 0) return acknowledge(request, forbidden);
        if ((request.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) return dump(request, command);
        if (command == IPVS_CMD_GET_CONFIG) {
            Bytes timeouts;
            put_number<std::uint32_t>(timeouts, IPVS_CMD_ATTR_TIMEOUT_TCP, 900);
            reply(request, IPVS_CMD_SET_CONFIG, timeouts);
            return acknowledge(request, 0);
        }
        const int error = refuse(steps++);
        if (error != 0 || (request.nlmsg_flags & NLM_F_ACK) != 0) acknowledge(request, error);
    }
    void tell_family(const nlmsghdr& request) {
        ++families_asked;
        if (family == 0) return acknowledge(request, ENOENT);
        Bytes attributes;
        put_string(attributes, CTRL_ATTR_FAMILY_NAME, "IPVS");
        put_number<std::uint16_t>(attributes, CTRL_ATTR_FAMILY_ID, family);
        reply(request, CTRL_CMD_NEWFAMILY, attributes);
        acknowledge(request, 0);
    }
    void dump(const nlmsghdr& request, std::uint8_t command) {
        if (command == IPVS_CMD_GET_SERVICE)
            for (const auto mark : marks)
                reply(request, IPVS_CMD_NEW_SERVICE, service_of_mark(mark));
        if (command == IPVS_CMD_GET_DEST)
            for (const auto last : {std::uint8_t{9}, std::uint8_t{8}})
                reply(request, IPVS_CMD_NEW_DEST, destination_at(last));
        interruptions = std::max(0, interruptions - 1);
        answer(message(NLMSG_DONE, 0, request.nlmsg_seq, Bytes(code_size)));
    }
};

class FakeChannel : public Channel {
  public:
    explicit FakeChannel(Kernel& kernel) : kernel_{kernel} {}
    int send(ByteView messages) override {
        ++kernel_.sends;
        for_each_message(messages, [&](const nlmsghdr& request) { kernel_.take(request); });
        return 0;
    }
    Result<ByteView, int> receive() override {
        if (kernel_.waiting.empty()) return ByteView{};
        const auto next = std::move(kernel_.waiting.front());
        kernel_.waiting.pop_front();
        if (!next) return unexpected{next.error()};
        held_ = *next;
        return ByteView{held_};
    }

  private:
    Kernel& kernel_;
    Bytes held_;
};

IpvsTable table_of(Kernel& kernel) {
    return IpvsTable{[&kernel]() -> Result<std::unique_ptr<Channel>, int> {
        ++kernel.opened;
        kernel.waiting.clear();
        return std::make_unique<FakeChannel>(kernel);
    }};
}

engine::ProgramIpvs batch_of(std::uint32_t size) {
    engine::ProgramIpvs batch{engine::IpvsBatchId{3}, {}};
    for (std::uint32_t i = 0; i < size; ++i)
        batch.steps.emplace_back(engine::RemoveService{{.family = Family::ipv4, .mark = i + 1}});
    return batch;
}

using Failed = std::vector<std::pair<std::uint32_t, int>>;

TEST(IpvsTable, SendsManyStepsAtOnceAndNamesThoseThatFailed) {
    Kernel kernel;
    kernel.refuse = [](std::size_t n) { return n % 400 == 399 ? EEXIST : 0; };
    auto table = table_of(kernel);
    const auto done = table.program(batch_of(1000));
    EXPECT_EQ(done.id.value, 3U);
    EXPECT_EQ(done.failed, (Failed{{399, EEXIST}, {799, EEXIST}}));
    EXPECT_EQ(kernel.steps, 1000U);
    EXPECT_LE(kernel.sends, 1 + 4);        // the family, and slices
    EXPECT_LE(kernel.answers, 2 + 4 + 2U); // an acknowledgement a slice
}

TEST(IpvsTable, DoesNothingForNoStep) {
    Kernel kernel;
    EXPECT_TRUE(table_of(kernel).program(batch_of(0)).failed.empty());
}

TEST(IpvsTable, SaysOfALostAnswerThatNobodyKnows) {
    Kernel kernel;
    kernel.refuse = [](std::size_t n) { return n == 1 || n == 2 ? ESRCH : 0; };
    kernel.lose = [](std::size_t n) { return n == 3; }; // behind those of the family: the second refusal
    auto table = table_of(kernel);
    EXPECT_EQ(table.program(batch_of(5)).failed,
              (Failed{{0, ENOBUFS}, {1, ESRCH}, {2, ENOBUFS}, {3, ENOBUFS}})); // the last one was acknowledged
    kernel.refuse = [](auto) { return 0; };
    EXPECT_TRUE(table.program(batch_of(5)).failed.empty()); // what waited is not taken for an answer of these
}

TEST(IpvsTable, KnowsNothingOfASliceWithoutItsLastAnswer) {
    Kernel kernel;
    kernel.lose = [](std::size_t n) { return n == 2; };
    auto table = table_of(kernel);
    EXPECT_EQ(table.program(batch_of(2)).failed, (Failed{{0, ENOBUFS}, {1, ENOBUFS}}));
}

TEST(IpvsTable, AsksForTheFamilyOnceAsLongAsItIsThere) {
    Kernel kernel;
    auto table = table_of(kernel);
    table.program(batch_of(2));
    table.list();
    table.program(batch_of(2));
    EXPECT_EQ(kernel.families_asked, 1);
    EXPECT_EQ(kernel.opened, 1);
}

TEST(IpvsTable, SaysThatThereIsNoModuleAndAsksOnceARequest) {
    Kernel kernel{.family = 0};
    auto table = table_of(kernel);
    EXPECT_EQ(table.program(batch_of(2)).failed, (Failed{{0, ENOENT}, {1, ENOENT}}));
    EXPECT_EQ(kernel.families_asked, 1);
    EXPECT_EQ(table.list().error, ENOENT);
    EXPECT_EQ(kernel.families_asked, 2);
    EXPECT_EQ(kernel.steps, 0U);
    kernel.family = 0x21;
    EXPECT_EQ(table.list().error, 0);
}

TEST(IpvsTable, FindsAModuleThatWasLoadedAnew) {
    Kernel kernel;
    auto table = table_of(kernel);
    table.program(batch_of(1));
    kernel.family = 0x21;
    kernel.steps = 0;
    EXPECT_TRUE(table.program(batch_of(3)).failed.empty());
    EXPECT_EQ(kernel.steps, 3U);
    kernel.family = 0x22;
    EXPECT_EQ(table.list().services.size(), 2U);
    EXPECT_EQ(kernel.families_asked, 3);
}

TEST(IpvsTable, TellsAModuleThatWent) {
    Kernel kernel;
    auto table = table_of(kernel);
    table.program(batch_of(1));
    kernel.family = 0;
    EXPECT_EQ(table.program(batch_of(2)).failed, (Failed{{0, ENOENT}, {1, ENOENT}}));
    EXPECT_EQ(table.list().error, ENOENT);
}

TEST(IpvsTable, DoesNotRepeatWhatTheKernelItselfDoesNotFind) {
    Kernel kernel;
    kernel.refuse = [](std::size_t n) { return n > 0 ? ENOENT : 0; };
    auto table = table_of(kernel);
    EXPECT_EQ(table.program(batch_of(3)).failed, (Failed{{1, ENOENT}, {2, ENOENT}}));
    EXPECT_EQ(kernel.steps, 3U);
}

TEST(IpvsTable, TellsARefusalOfEverything) {
    Kernel kernel{.forbidden = EPERM};
    auto table = table_of(kernel);
    EXPECT_EQ(table.program(batch_of(2)).failed.size(), 1U + 1U);
    EXPECT_EQ(table.list().error, EPERM);
    EXPECT_TRUE(table.list().services.empty());
}

TEST(IpvsTable, ListsEverythingSorted) {
    Kernel kernel{.marks = {7, 3}};
    auto table = table_of(kernel);
    const auto listed = table.list();
    EXPECT_EQ(listed.error, 0);
    ASSERT_EQ(listed.services.size(), 2U);
    EXPECT_EQ(listed.services[0].service.key.mark, 3U);
    EXPECT_EQ(listed.services[0].service.flags, 0U);
    ASSERT_EQ(listed.services[1].destinations.size(), 2U);
    EXPECT_EQ(to_string(listed.services[1].destinations[0].destination.at.address), "192.0.2.8");
    EXPECT_EQ(listed.timeouts.tcp, 900U);
}

TEST(IpvsTable, ReadsAnewWhatChangedMeanwhile) {
    Kernel kernel{.interruptions = 2};
    auto table = table_of(kernel);
    const auto listed = table.list();
    EXPECT_EQ(listed.error, 0);
    EXPECT_EQ(listed.services.size(), 2U);
    kernel.interruptions = 1000;
    EXPECT_EQ(table.list().error, EINTR);
    EXPECT_TRUE(table.list().services.empty());
}

TEST(IpvsTable, ReadsAnewOnAnotherSocketWhenAnAnswerWasLost) {
    Kernel kernel;
    auto table = table_of(kernel);
    table.program(batch_of(1));
    const auto at = kernel.answers + 1;
    kernel.lose = [at](std::size_t n) { return n == at; };
    const auto listed = table.list();
    EXPECT_EQ(listed.error, 0);
    EXPECT_EQ(listed.services.size(), 2U);
    EXPECT_EQ(kernel.opened, 2);
}

TEST(IpvsTable, AGlanceReadsTheRestOnlyWhenTheServicesAreOthers) {
    Kernel kernel;
    auto table = table_of(kernel);
    ASSERT_EQ(table.glance().value().services.size(), 2U) << "there was no list yet";
    const auto before = kernel.messages;
    EXPECT_FALSE(table.glance());
    EXPECT_EQ(kernel.messages - before, 1U) << "it asks for the services alone";
    kernel.marks = {2, 1};
    EXPECT_FALSE(table.glance()) << "the same in another order";
    kernel.marks = {1};
    EXPECT_EQ(table.glance().value().services.size(), 1U);
    EXPECT_FALSE(table.glance());
    kernel.marks = {};
    EXPECT_TRUE(table.glance().value().services.empty()) << "cleared";
    EXPECT_FALSE(table.glance());
    kernel.marks = {1};
    EXPECT_EQ(table.glance().value().services.front().destinations.size(), 2U);
}

TEST(IpvsTable, AGlanceReadsEverythingBehindStepsAndErrors) {
    Kernel kernel;
    auto table = table_of(kernel);
    table.list();
    EXPECT_FALSE(table.glance());
    table.program(batch_of(1));
    EXPECT_TRUE(table.glance());
    EXPECT_FALSE(table.glance());
    kernel.forbidden = EPERM;
    EXPECT_EQ(table.glance().value().error, EPERM);
    kernel.forbidden = 0;
    EXPECT_EQ(table.glance().value().services.size(), 2U);
    EXPECT_FALSE(table.glance());
}

TEST(IpvsTable, TellsWhyThereIsNoSocket) {
    IpvsTable table{[]() -> Result<std::unique_ptr<Channel>, int> { return unexpected{EAFNOSUPPORT}; }};
    EXPECT_EQ(table.list().error, EAFNOSUPPORT);
    EXPECT_EQ(table.program(batch_of(1)).failed, (Failed{{0, EAFNOSUPPORT}}));
}

TEST(Ipvs, AnswersInTheOrderOfAskingAndDoesWhatWasAskedBeforeItEnds) {
    Kernel kernel;
    std::vector<Ipvs::Answer> answers;
    {
        Ipvs ipvs{[&](Ipvs::Answer answer) { answers.push_back(std::move(answer)); }, table_of(kernel)};
        ipvs.program(batch_of(2));
        ipvs.list();
        ipvs.program(batch_of(1));
    }
    ASSERT_EQ(answers.size(), 3U);
    EXPECT_TRUE(std::holds_alternative<engine::IpvsDone>(answers[0]));
    EXPECT_EQ(std::get<engine::IpvsRead>(answers[1]).table->services.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<engine::IpvsDone>(answers[2]));
    EXPECT_EQ(kernel.steps, 3U);
}

} // namespace
} // namespace holdfast::kernel
