// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/monitor/qmp_parser.hpp"

#include "runner/monitor/monitor_error.hpp"
#include "runner/monitor/redact.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace vt {

TEST_CASE("lines are cut wherever the chunks end") {
    const std::string stream = "{\"a\": 1}\r\n\r\n{\"b\": \"x\\ny\"}\n{\"c\"";
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        QmpParser parser;
        auto lines = parser.feed(stream.substr(0, cut));
        for (auto& line : parser.feed(stream.substr(cut))) {
            lines.push_back(line);
        }
        CHECK(lines == std::vector<std::string>{"{\"a\": 1}", "{\"b\": \"x\\ny\"}"});
        CHECK(parser.unfinished() == "{\"c\"");
    }
}

TEST_CASE("what is no message is refused") {
    CHECK(QmpParser::parse("{\"return\": {}}").contains("return"));
    CHECK_THROWS_AS(QmpParser::parse("{"), MonitorProtocolError);
    CHECK_THROWS_AS(QmpParser::parse("[1]"), MonitorProtocolError);
    CHECK_THROWS_AS(QmpParser::parse("\xff\xfe"), MonitorProtocolError);
    CHECK_THROWS_AS(QmpParser::parse("{\"a\": \"\xff\"}"), MonitorProtocolError);
    CHECK_THROWS_AS(QmpParser::parse(std::string(100000, '[')), MonitorProtocolError);
    std::string deep = "{\"a\":";
    for (int i = 0; i < QmpParser::depth_limit; ++i) {
        deep += "[";
    }
    CHECK_THROWS_AS(QmpParser::parse(deep), MonitorProtocolError);
    CHECK(QmpParser::parse("{\"a\": \"" + std::string(1000, '[') + "\\\"{\"}").contains("a"));
}

TEST_CASE("a line has a limit") {
    QmpParser parser(100);
    CHECK(parser.feed(std::string(100, 'a')).empty());
    CHECK_THROWS_AS(parser.feed("a"), MonitorProtocolError);
}

TEST_CASE("secrets stay out of logs") {
    CHECK(redact({{"execute", "set_password"}, {"arguments", {{"protocol", "vnc"}, {"password", "pw"}}}})
              .dump()
              .find("pw") == std::string::npos);
    const nlohmann::json object{{"execute", "object-add"},
                                {"arguments", {{"qom-type", "secret"}, {"id", "s"}, {"data", "topsecret"}}}};
    CHECK(redact(object).dump().find("topsecret") == std::string::npos);
    const nlohmann::json harmless{{"execute", "human-monitor-command"},
                                  {"arguments", {{"command-line", "info block"}}}};
    CHECK(redact(harmless) == harmless);
    CHECK(redact_line("set_password vnc topsecret keep") == "set_password vnc ***");
    CHECK(redact({{"execute", 5}}) == nlohmann::json({{"execute", 5}}));
}

TEST_CASE("texts are those that tests match") {
    const QMPCmdError error("block_resize", {{"device", "d"}, {"size", 1}},
                            {{"class", "GenericError"}, {"desc", "it's busy"}});
    CHECK(std::string(error.what()) ==
          "QMP command 'block_resize' failed    (arguments: {'device': 'd', 'size': 1},    error message: "
          "{'class': 'GenericError', 'desc': \"it's busy\"})");
    CHECK(error.error_class() == "GenericError");
    CHECK(error.desc() == "it's busy");
    CHECK(std::string(QMPCmdError("stop", nullptr, "odd").what()) ==
          "QMP command 'stop' failed    (arguments: None,    error message: 'odd')");
    CHECK(std::string(MonitorConnectError("qmp1").what()) == "Could not connect to monitor 'qmp1'");
    CHECK(std::string(MonitorSocketError("Could not send", "EPIPE").what()) == "Could not send    (EPIPE)");
    CHECK(std::string(MonitorNotSupportedCmdError("qmp1", "x").what()) ==
          "Not supported cmd 'x' in monitor 'qmp1'");
    CHECK(std::string(HumanCmdError("x", "Error: y").what()) ==
          "Human monitor command 'x' failed    error message: 'Error: y')");
    CHECK(std::string(QMPEventError("stop", "STOP", "vm1", "qmp1").what()) ==
          "QMP event STOP not received after stop (monitor 'vm1.qmp1')");
}

}  // namespace vt
