// `notify:` of an instance: what may be said, what an error says, and that a dump is read back.
#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

struct Case {
    std::string value;
    std::string message;
    std::string hint;
};

TEST(Notify, SaysWhatIsWrong) {
    const std::string list = " of notify must be a list: a program with its whole path, then its arguments, not ";
    const Case cases[] = {
        {"/bin/x", "notify must be a map {master: [PROGRAM, ...], ...}, not '/bin/x'", ""},
        {"{master: /bin/x a}", "master" + list + "'/bin/x a'", "write [\"/bin/x\", a]: no shell reads it"},
        {"{all: [x]}", "the program of all of notify must be a path that begins with '/', not 'x'",
         "no search path is looked through"},
        {"{before_removal: []}", "before_removal" + list + "a list", ""},
        {"{after_adding: {}}", "after_adding" + list + "a map", ""},
        {"{fifo: here}", "fifo of notify must be the path of a file, from '/' on, not 'here'", ""},
        {"{user: -x}", "user of notify must be the name of a user, not '-x'", ""},
        {"{timeout: 5}", "timeout of notify needs a unit: '5' of what?",
         "write 5s for seconds or 5ms for milliseconds"},
        {"{timeout: 2h}", "timeout of notify must be 100ms to 1h, not '2h'", ""},
        {"{hook_timeout: 11s}", "hook_timeout of notify must be 10ms to 10s, not '11s'", ""},
        {"{units: [a.service]}", "units of notify must be a map {master: [UNIT, ...], backup: [UNIT, ...]}, not a list",
         ""},
        {"{units: {fault: [a.service]}}", "'fault' is not a directive of units of notify",
         "there is master and backup"},
        {"{units: {master: a.service}}", "units of master must be a list of systemd units, not 'a.service'", ""},
        {"{units: {master: [a]}}", "a unit of master must be the name of a systemd unit with its type, not 'a'",
         "write a.service"},
        {"{mastr: [/bin/x]}", "'mastr' is not a directive of notify", "did you mean 'master'?"},
    };
    for (const auto& each : cases)
        EXPECT_EQ(expect_refused(instance_with("    notify: " + each.value + "\n"), each.message, each.hint).line, 6U);
}

TEST(Notify, IsReadAndDumpedWhole) {
    const auto config = good(instance_with(
        "    notify:\n      master: [/bin/m, inside]\n      backup: [/bin/b]\n      fault: [/bin/f]\n"
        "      stop: [/bin/s]\n      deleted: [/bin/d]\n      priority: [/bin/p]\n      lower_advert: [/bin/l]\n"
        "      all: [/bin/all, 'x y']\n      fifo: /run/web.fifo\n      user: nobody\n      timeout: 5s\n"
        "      units: {master: [a.service, b.target], backup: [c.service]}\n      before_removal: [/bin/r]\n"
        "      after_adding: [/bin/a]\n      hook_timeout: 1s\n"));
    const auto& notify = config.instances.at(0).notify;
    EXPECT_EQ(notify, (model::Notify{.master = {"/bin/m", "inside"},
                                     .backup = {"/bin/b"},
                                     .fault = {"/bin/f"},
                                     .stop = {"/bin/s"},
                                     .deleted = {"/bin/d"},
                                     .priority = {"/bin/p"},
                                     .lower_advert = {"/bin/l"},
                                     .all = {"/bin/all", "x y"},
                                     .fifo = "/run/web.fifo",
                                     .user = "nobody",
                                     .timeout = 5s,
                                     .master_units = {"a.service", "b.target"},
                                     .backup_units = {"c.service"},
                                     .before_removal = {"/bin/r"},
                                     .after_adding = {"/bin/a"},
                                     .hook_timeout = 1s}));
    EXPECT_EQ(good(dump(config)), config);
}

TEST(Notify, MayStandUnderDefaults) {
    const auto config = good("defaults: {notify: {all: [/bin/all]}}\n" + instance_with("    priority: 5\n"));
    EXPECT_EQ(config.instances.at(0).notify.all, (model::Words{"/bin/all"}));
}

} // namespace
} // namespace holdfast::config::testing
