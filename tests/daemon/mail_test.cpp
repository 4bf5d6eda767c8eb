// The words of a mail: whole headers, lines that end as RFC 5322 wants, and no reason that could begin a header of its own.

#include "daemon/mail_text.hpp"
#include "daemon/mailer.hpp"

#include <gtest/gtest.h>

namespace holdfast::daemon {
namespace {

model::Mail settings() {
    return {.server = "smtp://localhost", .from = "holdfast@example.org", .to = {"a@example.org", "b@example.org"}};
}

engine::Transition edge() {
    auto model = std::make_shared<model::Instance>();
    model->name = "web";
    model->interface = "eth0";
    model->vrid = Vrid{51};
    model->addresses = {Prefix{IpAddress::v4(192, 0, 2, 10), 24}};
    return {.number = 7,
            .instance = "web",
            .from = "backup",
            .to = "master",
            .reason_code = "master_silent",
            .reason = "no advert of a master was heard in time",
            .priority = Priority{250},
            .model = model};
}

TEST(MailText, IsAWholeMessage) {
    EXPECT_EQ(mail_text(settings(), edge(), "lb1", 1'700'000'000), "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
                                                                   "From: holdfast on lb1 <holdfast@example.org>\r\n"
                                                                   "To: a@example.org, b@example.org\r\n"
                                                                   "Subject: [lb1] VRRP instance web is master now\r\n"
                                                                   "Message-ID: <1700000000.7.lb1@holdfast>\r\n"
                                                                   "Auto-Submitted: auto-generated\r\n"
                                                                   "MIME-Version: 1.0\r\n"
                                                                   "Content-Type: text/plain; charset=utf-8\r\n"
                                                                   "Content-Transfer-Encoding: 8bit\r\n"
                                                                   "\r\n"
                                                                   "instance web on lb1: backup -> master\r\n"
                                                                   "why: no advert of a master was heard in time\r\n"
                                                                   "priority: 250\r\n"
                                                                   "when: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
                                                                   "interface: eth0, vrid 51\r\n"
                                                                   "address: 192.0.2.10/24\r\n"
                                                                   "\r\n"
                                                                   "holdfastctl show web\r\n");
}

TEST(MailText, KeepsAReasonOnItsLine) {
    auto odd = edge();
    odd.reason = "first\r\nBcc: somebody@example.org\n.\r\n";
    const auto text = mail_text(settings(), odd, "lb1", 0);
    EXPECT_NE(text.find("why: first  Bcc: somebody@example.org .  \r\n"), std::string::npos) << text;
}

TEST(MailText, TellsAGroupAndAnEnd) {
    auto group = std::make_shared<model::Group>();
    group->instances = {"web", "inside"};
    engine::Transition end{.instance = "edge", .from = "master", .to = "init", .ended = true, .group = group};
    const auto text = mail_text(settings(), end, "lb1", 0);
    EXPECT_NE(text.find("Subject: [lb1] VRRP sync group edge stops\r\n"), std::string::npos) << text;
    EXPECT_NE(text.find("instances: web, inside\r\n"), std::string::npos) << text;
}

TEST(MailText, TellsOfServers) {
    const auto server = std::make_shared<model::VirtualServer>();
    engine::Transition edge{.instance = "web/s1",
                            .from = "up",
                            .to = "down",
                            .reason = "status 503",
                            .kind = engine::TransitionKind::server,
                            .server = server};
    const auto text = mail_text(settings(), edge, "lb1", 0);
    EXPECT_NE(text.find("Subject: [lb1] real server web/s1 is down\r\n"), std::string::npos) << text;
    EXPECT_NE(text.find("\r\n\r\nreal server web/s1 on lb1: up -> down\r\nwhy: status 503\r\nwhen: "),
              std::string::npos)
        << text;
    EXPECT_TRUE(text.ends_with("\r\n\r\nholdfastctl ipvs\r\n")) << text;
    edge.instance = "web";
    edge.to = "no_quorum";
    EXPECT_NE(mail_text(settings(), edge, "lb1", 0).find("Subject: [lb1] virtual server web has lost its quorum\r\n"),
              std::string::npos);
    edge.to = "quorum";
    EXPECT_NE(mail_text(settings(), edge, "lb1", 0).find(" virtual server web has reached its quorum\r\n"),
              std::string::npos);
}

/// A mailer whose attempts end when a test says so.
struct Post {
    Time now{1h};
    std::vector<std::string> sent, warnings;
    std::function<void(const ipc::Ended&)> done;
    Mailer mailer{{.attempt =
                       [this](const auto& make, auto finish) {
                           sent.push_back(std::get<ipc::SendMail>(make(ipc::WatchId{1})).text);
                           done = std::move(finish);
                           return ipc::WatchId{1};
                       },
                   .warn = [this](std::string text) { warnings.push_back(std::move(text)); },
                   .now = [this] { return now; }}};

    void end(bool ok) {
        std::exchange(done, nullptr)({ipc::WatchId{1}, ok, ok ? "accepted (250)" : "cannot connect", {}});
    }
};

TEST(Mailer, SendsOneAfterTheOtherAndTriesAgain) {
    Post post;
    post.mailer.configure(settings());
    post.mailer.tell(edge(), "lb1");
    post.mailer.tell(edge(), "lb1");
    ASSERT_EQ(post.sent.size(), 1U);
    post.end(false);
    EXPECT_EQ(post.warnings.size(), 1U);
    EXPECT_EQ(post.mailer.next_deadline(), post.now + 5s);
    post.now += 5s;
    post.mailer.on_deadline();
    ASSERT_EQ(post.sent.size(), 2U);
    EXPECT_EQ(post.sent[0], post.sent[1]);
    post.end(true);
    EXPECT_EQ(post.sent.size(), 3U);
    post.end(true);
    EXPECT_TRUE(post.mailer.idle());
}

TEST(Mailer, LosesNothingWhenAReloadTakesMailAwayAndGivesItBackDuringAnAttempt) {
    Post post;
    post.mailer.configure(settings());
    post.mailer.tell(edge(), "lb1");
    post.mailer.configure(std::nullopt);
    post.mailer.configure(settings());
    auto later = edge();
    later.to = "fault";
    post.mailer.tell(later, "lb1");
    post.end(true); // of the first one
    ASSERT_EQ(post.sent.size(), 2U);
    EXPECT_NE(post.sent[1].find("web is fault now"), std::string::npos);
    post.end(true);
    EXPECT_TRUE(post.mailer.idle());
}

} // namespace
} // namespace holdfast::daemon
