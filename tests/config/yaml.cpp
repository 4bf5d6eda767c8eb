#include "config/yaml.hpp"

#include "fixture.hpp"

namespace holdfast::config::testing {
namespace {

TEST(Yaml, RefusesAKeyThatIsGivenTwice) {
    EXPECT_EQ(errors("instances:\n  web:\n    vrid: 5\n    vrid: 6\n"),
              R"(holdfast.yaml:4:5: error: 'vrid' is given twice
    vrid: 6
    ^
  hint: first given at holdfast.yaml:3:5; remove one of them
)");
}

TEST(Yaml, RefusesAnchorsAndAliases) {
    EXPECT_EQ(errors("instances: &all {}\n"), R"(holdfast.yaml:1:12: error: anchors (&name) are not supported
instances: &all {}
           ^
  hint: write the value out; what all instances share goes under 'defaults:'
)");
    EXPECT_EQ(errors("a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ninstances: *c\n"),
              R"(holdfast.yaml:1:4: error: anchors (&name) are not supported
a: &a [x]
   ^
  hint: write the value out; what all instances share goes under 'defaults:'
holdfast.yaml:2:4: error: anchors (&name) are not supported
b: &b [*a, *a]
   ^
  hint: write the value out; what all instances share goes under 'defaults:'
holdfast.yaml:2:8: error: aliases (*name) are not supported
b: &b [*a, *a]
       ^
  hint: write the value out; what all instances share goes under 'defaults:'
)");
}

TEST(Yaml, RefusesTags) {
    EXPECT_EQ(errors("instances: !!map {}\nnode_name: !secret lb1\n"),
              R"(holdfast.yaml:1:12: error: tags (!name) are not supported
instances: !!map {}
           ^
  hint: remove it: every directive knows its own type
holdfast.yaml:2:12: error: tags (!name) are not supported
node_name: !secret lb1
           ^
  hint: remove it: every directive knows its own type
)");
}

TEST(Yaml, RefusesASecondDocument) {
    EXPECT_EQ(errors("instances: {}\n---\ntrackers: {}\n"),
              R"(holdfast.yaml:2:1: error: the file goes on after the end of its YAML document
---
^
  hint: one file is one document: remove this part, or give it a file of its own in holdfast.yaml.d/
)");
    EXPECT_EQ(errors("---\ninstances: {}\n...\n"), "");
}

TEST(Yaml, RefusesAKeyThatIsNoWord) {
    EXPECT_EQ(errors("instances: {}\n? [a, b]\n: 5\n~: 6\n"), R"(holdfast.yaml:2:3: error: a key must be a word
? [a, b]
  ^
  hint: to use a word like null as a name, put it in quotes
holdfast.yaml:4:1: error: a key must be a word
~: 6
^
  hint: to use a word like null as a name, put it in quotes
)");
}

TEST(Yaml, RefusesWhatIsNotTextOfReasonableSize) {
    struct Case {
        std::string text;
        std::string error;
    };
    const Case cases[]{
        {"", "the file is empty\n  hint: was it written to the end?\n"},
        {" \n\t\r\n", "the file is empty\n  hint: was it written to the end?\n"},
        {std::string("instances: {}\n\0", 15),
         "the file is not text: it contains NUL bytes\n  hint: save it as UTF-8\n"},
        {std::string("\xff\xfei\0n\0", 6), "the file is not text: it contains NUL bytes\n  hint: save it as UTF-8\n"},
        {"instances: {}\n# gr\xfcn\n",
         "the file is not UTF-8 text: byte 0xfc at line 2, column 5\n  hint: save it as UTF-8\n"},
        {"# \xc0\xaf\n", "the file is not UTF-8 text: byte 0xc0 at line 1, column 3\n  hint: save it as UTF-8\n"},
        {"# \xed\xa0\x80\n", "the file is not UTF-8 text: byte 0xed at line 1, column 3\n  hint: save it as UTF-8\n"},
        {"# \xf4\x90\x80\x80\n",
         "the file is not UTF-8 text: byte 0xf4 at line 1, column 3\n  hint: save it as UTF-8\n"},
        {"# \xe2\x82", "the file is not UTF-8 text: byte 0xe2 at line 1, column 3\n  hint: save it as UTF-8\n"},
        {std::string(largest_file + 1, '#'),
         "the file has 1048577 bytes; at most 1048576 are read\n  hint: is it the right file?\n"},
        {"#\n#" + std::string(longest_line, 'x'),
         "line 2 has more than 65536 bytes\n  hint: break it into several lines\n"},
    };
    for (const auto& one : cases)
        EXPECT_EQ(errors(one.text), "holdfast.yaml: error: " + one.error);
}

TEST(Yaml, TakesAByteOrderMarkAndWindowsLineEnds) {
    EXPECT_EQ(errors("\xef\xbb\xbfinstances: {}\r\ntrackers: {}\r\n"), "");
    EXPECT_EQ(
        errors("\xef\xbb\xbfnode_name: a b\r\ninstances: {}\r\n"),
        "holdfast.yaml:1:12: error: node_name must be a name of 1 to 64 letters, digits, '_', '.' or '-', not 'a b'\n"
        "node_name: a b\n"
        "           ^\n");
}

TEST(Yaml, BoundsDepthAndSize) {
    const std::string deep = std::string(40, '[') + std::string(40, ']');
    EXPECT_EQ(errors(deep), "holdfast.yaml:1:33: error: the file nests more than 32 levels deep\n" + deep + "\n" +
                                std::string(32, ' ') + "^\n");
    std::string wide = "a: [\n";
    for (int i = 0; i < 200'000; ++i)
        wide += "1,\n";
    const auto loaded = load(request(wide + "]\n"));
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().front().message, "the file has more than 200000 values");
    const auto brackets = load(request(std::string(10'000, '{')));
    ASSERT_FALSE(brackets);
    EXPECT_EQ(brackets.error().front().message, "more than 512 brackets are open here");
}

TEST(Yaml, SaysWhereBrokenYamlBreaks) {
    struct Case {
        std::string text;
        std::string error;
    };
    const Case cases[]{
        {"instances: {web: {vrid: 5\n", R"(holdfast.yaml:2:1: error: this is not valid YAML: end of map flow not found
  hint: a '{' is not closed with '}'
)"},
        {"instances: [a\n", R"(holdfast.yaml:2:1: error: this is not valid YAML: end of sequence flow not found
  hint: a '[' is not closed with ']'
)"},
        {"instances: \"web\n", R"(holdfast.yaml:1:12: error: this quote is not closed
instances: "web
           ^
  hint: was the file written to the end?
)"},
        {"instances:\n  web: a: b\n", R"(holdfast.yaml:2:9: error: this is not valid YAML: illegal map value
  web: a: b
        ^
  hint: a value that contains ': ' needs quotes; a key needs a line of its own
)"},
        {"instances:\n    web: 1\n  inside: 2\n",
         R"(holdfast.yaml:3:3: error: this is not valid YAML: end of map not found
  inside: 2
  ^
  hint: indent this line exactly like the other keys beside it
)"},
        {"instances:\n\tweb: 1\n", R"(holdfast.yaml:2:5: error: this is not valid YAML: illegal map value
	web: 1
	   ^
  hint: YAML does not allow tabs for indentation: use spaces
)"},
    };
    for (const auto& one : cases)
        EXPECT_EQ(errors(one.text), one.error) << one.text;
}

TEST(Yaml, KnowsWhereAQuoteEnds) {
    for (const std::string fine :
         {"'it''s'", "\"a\\\"b\"", "\"a\\\\\"", "''", "\"\"", "\"two\n  lines\"", "|\n  it's \"open\n", ">-\n  '\n"}) {
        const auto text = errors("instances: {}\nnode_name: " + fine + "\n");
        EXPECT_EQ(text.find("this quote is not closed"), std::string::npos) << text;
    }
    for (const std::string open : {"'it''s", "\"a\\\"", "\"two\n  lines"})
        EXPECT_NE(errors("instances: {}\nnode_name: " + open + "\n"), "") << open;
}

TEST(Yaml, RecognisesAKeepalivedConfiguration) {
    EXPECT_EQ(errors("vrrp_instance VI_1 {\n    virtual_router_id 51\n    priority 100\n}\n"),
              R"(holdfast.yaml:1:1: error: the file must be a map with 'instances:', not a text
vrrp_instance VI_1 {
^
  hint: this looks like a keepalived.conf; that form comes with a later version
)");
}

TEST(Yaml, AHalfWrittenFileIsAnErrorWhereverItEnds) {
    const std::string whole = "instances:\n  web:\n    interface: eth0\n    vrid: 51\n    addresses: [192.0.2.10/24]\n";
    for (std::size_t length = 0; length < whole.size() - 1; ++length)
        EXPECT_NE(errors(whole.substr(0, length)), "") << whole.substr(0, length);
    EXPECT_EQ(errors(whole), "");
}

TEST(Yaml, CountsColumnsInCharacters) {
    EXPECT_EQ(errors("# \xc3\xbc\ninstances: {}\n\"n\xc3\xb6\": 5\nnode_name: \"\xe2\x82\xac\xe2\x82\xac\"\n"),
              "holdfast.yaml:3:1: error: 'n\xc3\xb6' is not a directive of the file\n"
              "\"n\xc3\xb6\": 5\n"
              "^\n"
              "  hint: docs/directives.md has all of them\n"
              "holdfast.yaml:4:12: error: node_name must be a name of 1 to 64 letters, digits, '_', '.' or '-', not "
              "'\xe2\x82\xac\xe2\x82\xac'\n"
              "node_name: \"\xe2\x82\xac\xe2\x82\xac\"\n"
              "           ^\n");
    EXPECT_EQ(errors("{\"\xc3\xb6\xc3\xb6\": 1, instances: {}}\n"),
              "holdfast.yaml:1:2: error: '\xc3\xb6\xc3\xb6' is not a directive of the file\n"
              "{\"\xc3\xb6\xc3\xb6\": 1, instances: {}}\n"
              " ^\n"
              "  hint: docs/directives.md has all of them\n");
    EXPECT_EQ(errors("{instances: {\"\xc3\xb6\": {}, b: 5}}\n"),
              "holdfast.yaml:1:14: error: '\xc3\xb6' cannot be the name of an instance\n"
              "{instances: {\"\xc3\xb6\": {}, b: 5}}\n"
              "             ^\n"
              "  hint: a name has 1 to 64 letters, digits, '_', '.' or '-'\n"
              "holdfast.yaml:1:26: error: instance 'b' must be a map of directives, not a text\n"
              "{instances: {\"\xc3\xb6\": {}, b: 5}}\n"
              "                         ^\n");
}

TEST(Yaml, NeverSendsControlCharactersToATerminal) {
    EXPECT_EQ(errors("instances: {}\nnode_name: \"a\x1b[2Jb\xc2\x9b\"\n"),
              "holdfast.yaml:2:12: error: node_name must be a name of 1 to 64 letters, digits, '_', '.' or '-', not "
              "'a?[2Jb?'\n"
              "node_name: \"a?[2Jb?\"\n"
              "           ^\n");
}

TEST(Yaml, ShowsAWindowOfALongLine) {
    const auto text = errors("instances: {}\nnode_name: [" + std::string(300, 'x') + ", \"" + std::string(300, 'y') +
                             "\", \"a\": b]\n");
    EXPECT_LT(text.size(), 500U) << text;
    const auto diagnostics =
        load(request("instances: {" + std::string(300, ' ') + "a b: {}," + std::string(300, ' ') + "}\n")).error();
    EXPECT_EQ(render(diagnostics), "holdfast.yaml:1:313: error: 'a b' cannot be the name of an instance\n..." +
                                       std::string(60, ' ') + "a b: {}," + std::string(52, ' ') + "...\n   " +
                                       std::string(60, ' ') +
                                       "^\n  hint: a name has 1 to 64 letters, digits, '_', '.' or '-'\n");
}

} // namespace
} // namespace holdfast::config::testing
