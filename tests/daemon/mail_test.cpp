// The words of a mail: whole headers, lines that end as RFC 5322 wants, and no reason that could begin a header of its own.

#include "daemon/mail_text.hpp"

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
    engine::Transition end{
        .instance = "edge", .from = "master", .to = "init", .is_group = true, .ended = true, .group = group};
    const auto text = mail_text(settings(), end, "lb1", 0);
    EXPECT_NE(text.find("Subject: [lb1] VRRP sync group edge stops\r\n"), std::string::npos) << text;
    EXPECT_NE(text.find("instances: web, inside\r\n"), std::string::npos) << text;
}

} // namespace
} // namespace holdfast::daemon
