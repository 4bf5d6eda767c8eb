// `mail:`: what may be said, what an error says, that a dump is read back, and that no message shows the password.
#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

const std::string instance = instance_with("    notify: {mail: true}\n");

std::string with(const std::string& map) {
    return instance + "mail: " + map + "\n";
}

TEST(Mail, IsReadAndDumpedWhole) {
    const auto config =
        good(instance + "mail:\n  server: smtp://mail.example.org:587\n  from: a@b.example\n  to: [c@d.example]\n"
                        "  tls: required\n  login: {user: me, password: hush}\n  ca_file: /etc/ca.pem\n"
                        "  hello: lb1.example.org\n  timeout: 5s\n  retry_for: 0s\n");
    ASSERT_TRUE(config.mail);
    EXPECT_EQ(*config.mail, (model::Mail{.server = "smtp://mail.example.org:587",
                                         .from = "a@b.example",
                                         .to = {"c@d.example"},
                                         .tls = model::MailTls::required,
                                         .login = model::MailLogin{"me", "hush"},
                                         .ca_file = "/etc/ca.pem",
                                         .hello = "lb1.example.org",
                                         .timeout = 5s,
                                         .retry_for = Duration::zero()}));
    EXPECT_TRUE(config.instances.at(0).notify.mail);
    EXPECT_EQ(good(dump(config)), config);
    EXPECT_EQ(dump(config, Secrets::hide).find("hush"), std::string::npos);
}

TEST(Mail, SaysWhatIsWrong) {
    struct Case {
        std::string value, message, hint;
    };
    const std::string whole = "server: smtp://h, from: a@b, to: [c@d]";
    const Case cases[] = {
        {"x", "'mail' must be a map of directives, not 'x'", ""},
        {"{from: a@b, to: [c@d]}", "'mail' has no server", "add server: smtp://HOST[:PORT] or smtps://HOST[:PORT]"},
        {"{server: mail.example.org, from: a@b, to: [c@d]}",
         "server must be a server like smtp://mail.example.org or smtps://mail.example.org:465, not 'mail.example.org'",
         "write smtp://mail.example.org"},
        {"{server: 'smtp://h:0', from: a@b, to: [c@d]}", "server has a port that is not 1 to 65535: '0'", ""},
        {"{server: 'smtp://u@h', from: a@b, to: [c@d]}",
         "server must be a server like smtp://mail.example.org or smtps://mail.example.org:465, not 'smtp://u@h'", ""},
        {"{server: smtp://h, from: 'A <a@b>', to: [c@d]}",
         "from must be a mail address like admin@example.org, not 'A <a@b>'", "write the address alone"},
        {"{server: smtp://h, from: a@b, to: c@d}", "to must be a list of mail addresses, not 'c@d'", "write [c@d]"},
        {"{server: smtp://h, from: a@b, to: [\"c@d\\r\\nRCPT\"]}",
         "an address of to must be a mail address like admin@example.org, not 'c@d??RCPT'", ""},
        {"{" + whole + ", tls: yes}", "tls must be opportunistic, required or off, not 'yes'", ""},
        {"{" + whole + ", login: {user: u, password: hush}}",
         "login would show its password to any server that answers", "add tls: required, or use smtps://"},
        {"{" + whole + ", tls: required, login: {user: u}}", "login has no password",
         "add credential: NAME, file: PATH, or password: TEXT"},
        {"{" + whole + ", tls: required, login: {password: hush}}", "login has no user", "add user: NAME"},
        {"{server: smtps://h, from: a@b, to: [c@d], tls: off}", "tls is about STARTTLS, and smtps has none",
         "remove it"},
        {"{" + whole + ", retry_fro: 5s}", "'retry_fro' is not a directive of 'mail'", "did you mean 'retry_for'?"},
    };
    for (const auto& each : cases) {
        const auto shown = render(expect_refused(with(each.value), each.message, each.hint));
        EXPECT_EQ(shown.find("hush"), std::string::npos) << shown;
    }
}

TEST(Mail, IsMissedWhereSomebodyWantsIt) {
    const auto loaded = load(request(instance));
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error()[0].message, "instance 'web' has mail: true, and there is no 'mail:'");
}

} // namespace
} // namespace holdfast::config::testing
