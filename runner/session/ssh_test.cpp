// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/ssh.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/session/ssh_server_for_test.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <chrono>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>

namespace vt {
namespace {

class Stopwatch {
  public:
    double seconds() const { return Seconds(std::chrono::steady_clock::now() - begun_).count(); }

  private:
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

SshTarget target_of(const TestSshServer& server) {
    SshTarget target;
    target.port = server.port();
    target.username = "root";
    target.password = "secret";
    target.shell.prompt = R"(^\[.*\][\#\$]\s*$)";
    return target;
}

Deadline soon() {
    return Deadline::after(Seconds{20});
}

CommandOptions within(double seconds) {
    CommandOptions options;
    options.timeout = Seconds{seconds};
    return options;
}

struct Quiet {
    Quiet() {
        log::set_sink([](log::Level, std::string_view, std::string_view) {});
    }
    ~Quiet() { log::set_sink({}); }
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;
};

/// A server, a loop and a session with it.
struct Login {
    explicit Login(TestSshServer::Options options = {}) : server(std::move(options)) {
        session = ssh_login(loop, target_of(server), soon());
    }
    Quiet quiet;
    TestSshServer server;
    IoLoop loop;
    std::unique_ptr<ShellSession> session;
};

}  // namespace

TEST_CASE("commands give exact output and status") {
    Login login;
    auto& session = *login.session;
    CHECK(session.cmd("echo hello") == "hello\n");
    CHECK(session.cmd("printf 'a\\nb\\n'") == "a\nb\n");
    CHECK(session.cmd("printf nothing-after") == "nothing-after");
    CHECK(session.cmd("true").empty());
    CHECK(session.cmd_status("exit_with() { return $1; }; exit_with 42") == 42);
    CHECK(session.cmd_output("false; echo still") == "still\n");
    CHECK(session.cmd_status_output("echo out; false") == std::pair<int, std::string>(1, "out\n"));
    CHECK(session.cmd("cd /; pwd") == "/\n");
    CHECK(session.cmd("pwd") == "/\n");
    CHECK(session.cmd("(exit 3)", {}, {0, 3}).empty());
    const std::string long_word(3000, 'w');
    CHECK(session.cmd("echo " + long_word) == long_word + "\n");
    CHECK(session.cmd("echo grün") == "grün\n");
    CHECK(session.cmd("tty | grep -c /dev/") == "1\n");
    CHECK(session.is_responsive());
    CHECK(session.cmd("echo after") == "after\n");
}

TEST_CASE("a failing command says what it printed") {
    Login login;
    try {
        login.session->cmd("echo why; false");
        FAIL("no exception");
    } catch (const ShellCmdError& error) {
        CHECK(error.status() == 1);
        CHECK(error.output() == "why\n");
        CHECK(error.cmd() == "echo why; false");
    }
}

TEST_CASE("output that looks like a prompt does not end a command") {
    Login login;
    // The last line matches the prompt's expression for a moment.
    CHECK(login.session->cmd("echo '[fake]# '; sleep 0.01; echo more") == "[fake]# \nmore\n");
}

TEST_CASE("a changed prompt is learned") {
    Login login;
    CHECK(login.session->cmd("PS1='[other]$ '").empty());
    CHECK(login.session->cmd("echo x") == "x\n");
    login.session->set_prompt("^%%% $");
    CHECK(login.session->cmd("PS1='%%% '").empty());
    CHECK(login.session->cmd("echo y") == "y\n");
}

TEST_CASE("an overlong command times out and the session can be used again") {
    Login login;
    const Stopwatch watch;
    try {
        login.session->cmd("echo begun; sleep 30", within(0.4));
        FAIL("no exception");
    } catch (const ShellTimeoutError& error) {
        CHECK(error.output() == "begun\n");
    }
    CHECK(watch.seconds() < 5);
    login.session->sendcontrol('c');
    login.session->read_up_to_prompt(Seconds{10});
    CHECK(login.session->cmd("echo again") == "again\n");
}

TEST_CASE("much output comes whole, and line by line to the log") {
    Quiet quiet;
    TestSshServer server({});
    IoLoop loop;
    auto target = target_of(server);
    std::mutex mutex;
    std::vector<std::string> lines;
    target.shell.line_handler = [&](std::string_view line) {
        const std::lock_guard lock(mutex);
        lines.emplace_back(line);
    };
    auto session = ssh_login(loop, target, soon());
    const auto output = session->cmd("seq 1 200000");
    CHECK(output.size() == 1288895);
    CHECK(output.ends_with("199999\n200000\n"));
    session.reset();
    const std::lock_guard lock(mutex);
    CHECK(std::count(lines.begin(), lines.end(), "123456") == 1);
    CHECK(lines.size() > 200000);
}

TEST_CASE("the shell's own end is known with its status") {
    Login login;
    try {
        login.session->cmd("exit 3");
        FAIL("no exception");
    } catch (const ShellProcessTerminatedError& error) {
        CHECK(error.status() == 3);
    }
    CHECK_FALSE(login.session->is_alive());
    CHECK(login.session->get_status() == 3);
    CHECK_THROWS_AS(login.session->cmd("echo x"), ShellProcessTerminatedError);
    login.session->sendline("x");  // as aexpect, silent
}

TEST_CASE("a lost connection ends a command at once") {
    Login login;
    const Stopwatch watch;
    std::thread killer([&] { login.server.drop_all(); });
    CHECK_THROWS_AS(login.session->cmd("sleep 30"), ShellProcessTerminatedError);
    killer.join();
    CHECK(watch.seconds() < 5);
    CHECK_FALSE(login.session->is_alive());
}

TEST_CASE("close from another thread ends a wait at once") {
    Login login;
    const Stopwatch watch;
    std::thread closer([&] { login.session->close(); });
    CHECK_THROWS_AS(login.session->cmd("sleep 30"), ShellProcessTerminatedError);
    closer.join();
    login.session->close();
    CHECK(watch.seconds() < 5);
}

TEST_CASE("a safe command that takes long is nudged ever more seldom") {
    Login login;
    CommandOptions safe;
    safe.safe = true;
    // Each nudge is a line that the command reads and counts.
    const auto output = login.session->cmd(
        "n=0; end=$((SECONDS + 3)); while [ $SECONDS -lt $end ]; do read -t 0.2 x && n=$((n + 1)); done; "
        "echo nudges $n",
        safe);
    const auto at = output.rfind("nudges ");
    REQUIRE(at != std::string::npos);
    CHECK(std::stoi(output.substr(at + 7)) <= 3);  // after 0.5, 1.5, 3.5 s
}

TEST_CASE("waiting for patterns") {
    Login login;
    auto& session = *login.session;
    session.sendline("echo one; echo two three");
    auto match = session.read_until_output_matches({"never", "tw."}, Seconds{10});
    CHECK(match.index == 1);
    session.sendline("printf 'Password: '; read x; echo got $x");
    match = session.read_until_last_line_matches({"[Pp]assword:\\s*$"}, Seconds{10});
    CHECK(match.index == 0);
    session.sendline("word");
    CHECK(session.read_up_to_prompt(Seconds{10}).find("got word") != std::string::npos);
    session.sendline("echo last words");
    CHECK(session.read_until_any_line_matches({"^nope$", "^last words$"}, Seconds{10}).index == 1);
    try {
        session.read_until_last_word_matches({"never"}, Seconds{0.2});
        FAIL("no exception");
    } catch (const ExpectTimeoutError& error) {
        CHECK(error.patterns() == std::vector<std::string>{"never"});
    }
    CHECK_THROWS_AS(session.read_until_output_matches({"("}, Seconds{1}), Error);
}

TEST_CASE("keyboard-interactive login") {
    TestSshServer::Options options;
    options.keyboard_interactive = true;
    Login login(options);
    CHECK(login.session->cmd("echo in") == "in\n");
}

TEST_CASE("a wrong password is refused") {
    Quiet quiet;
    for (const bool interactive : {false, true}) {
        TestSshServer::Options options;
        options.keyboard_interactive = interactive;
        TestSshServer server(options);
        IoLoop loop;
        auto target = target_of(server);
        target.password = "wrong";
        CHECK_THROWS_AS(ssh_login(loop, target, soon()), LoginAuthenticationError);
        CHECK_THROWS_AS(wait_for_ssh_login(loop, target, Deadline::after(Seconds{1.5})),
                        LoginAuthenticationError);
    }
}

TEST_CASE("a guest that is not up yet is waited for") {
    Quiet quiet;
    TestSshServer::Options options;
    options.close_first = 3;
    TestSshServer server(options);
    IoLoop loop;
    auto session = wait_for_ssh_login(loop, target_of(server), soon());
    CHECK(session->cmd("echo up") == "up\n");
    CHECK(server.connections() == 4);
}

TEST_CASE("a guest that answers late gets one connection, and so does a second login") {
    Quiet quiet;
    TestSshServer::Options options;
    options.deaf_for = Seconds{1};
    TestSshServer server(options);
    IoLoop loop;
    auto first = wait_for_ssh_login(loop, target_of(server), soon());
    auto second = wait_for_ssh_login(loop, target_of(server), soon());
    CHECK(first->cmd("echo first") == "first\n");
    CHECK(second->cmd("echo second") == "second\n");
    CHECK(server.connections() == 2);
}

TEST_CASE("a login that cannot be is not tried") {
    Quiet quiet;
    TestSshServer server({});
    IoLoop loop;
    for (const char* name : {"ro;ot", "", "-oProxyCommand=x", "it's"}) {
        CAPTURE(name);
        auto target = target_of(server);
        target.username = name;
        CHECK_THROWS_AS(wait_for_ssh_login(loop, target, Deadline::never()), LoginImpossibleError);
        CHECK_THROWS_AS(ssh_login(loop, target, soon()), LoginImpossibleError);
        CHECK_THROWS_WITH_AS(copy_to(target, {"/etc/hostname"}, "/tmp", {}, soon()),
                             doctest::Contains("user name"), SCPError);
    }
    CHECK(server.connections() == 0);
}

TEST_CASE("a server without anything in common is not asked for ever") {
    Quiet quiet;
    TestSshServer::Options options;
    options.ciphers = "3des-cbc";
    TestSshServer server(options);
    IoLoop loop;
    CHECK_THROWS_WITH_AS(wait_for_ssh_login(loop, target_of(server), Deadline::never()),
                         doctest::Contains("offers nothing that libssh can do"), LoginImpossibleError);
}

TEST_CASE("ciphers and key exchange are cheap ones where the server has them") {
    Quiet quiet;
    TestSshServer server({});
    IoLoop loop;
    auto session = wait_for_ssh_login(loop, target_of(server), soon());
    CHECK(server.negotiated() == "curve25519-sha256 chacha20-poly1305@openssh.com");
    TestSshServer::Options options;
    options.ciphers = "aes256-ctr,aes128-gcm@openssh.com";
    TestSshServer other(options);
    session = wait_for_ssh_login(loop, target_of(other), soon());
    CHECK(other.negotiated() == "curve25519-sha256 aes128-gcm@openssh.com");
}

TEST_CASE("a guest that never answers times out, saying what was seen") {
    Quiet quiet;
    TestSshServer::Options options;
    options.ignore_next = 1000;
    TestSshServer server(options);
    IoLoop loop;
    const Stopwatch watch;
    try {
        wait_for_ssh_login(loop, target_of(server), Deadline::after(Seconds{1}));
        FAIL("no exception");
    } catch (const LoginTimeoutError& error) {
        CHECK(error.output().find("nothing came") != std::string::npos);
    }
    CHECK(watch.seconds() < 3);
    CHECK_THROWS_AS(ssh_login(loop, target_of(server), Deadline::after(Seconds{0.2})), LoginTimeoutError);
}

TEST_CASE("nobody listens") {
    Quiet quiet;
    IoLoop loop;
    SshTarget target;
    {
        TestSshServer server({});
        target = target_of(server);
    }
    try {
        ssh_login(loop, target, soon());
        FAIL("no exception");
    } catch (const LoginError& error) {
        CHECK(error.msg() == "Client said 'connection refused'");
    }
    CHECK_THROWS_AS(wait_for_ssh_login(loop, target, Deadline::after(Seconds{0.5})), LoginTimeoutError);
    target.host = "no.such.host.invalid";
    CHECK_THROWS_AS(ssh_login(loop, target, soon()), LoginError);
}

TEST_CASE("an interrupt ends the wait for a login at once") {
    Quiet quiet;
    TestSshServer::Options options;
    options.ignore_next = 1000;
    TestSshServer server(options);
    IoLoop loop;
    auto target = target_of(server);
    target.interrupt = std::make_shared<Interrupt>();
    const Stopwatch watch;
    std::thread raiser([&] { target.interrupt->raise("QEMU ended with status 1"); });
    try {
        wait_for_ssh_login(loop, target, Deadline::after(Seconds{60}));
        FAIL("no exception");
    } catch (const LoginError& error) {
        CHECK(error.msg() == "QEMU ended with status 1");
    }
    raiser.join();
    CHECK(watch.seconds() < 5);
}

TEST_CASE("a shell whose prompt is another") {
    Quiet quiet;
    TestSshServer::Options options;
    options.prompt = "who are you> ";
    TestSshServer server(options);
    IoLoop loop;
    try {
        ssh_login(loop, target_of(server), Deadline::after(Seconds{1}));
        FAIL("no exception");
    } catch (const LoginTimeoutError& error) {
        CHECK(error.output().find("who are you>") != std::string::npos);
    }
}

TEST_CASE("files and directories are copied both ways") {
    if (!std::filesystem::exists("/usr/lib/openssh/sftp-server")) {
        MESSAGE("skipped: needs /usr/lib/openssh/sftp-server (package openssh-sftp-server)");
        return;
    }
    for (const bool sftp : {true, false}) {
        if (!sftp && !std::filesystem::exists("/usr/bin/scp")) {
            MESSAGE("skipped without SFTP: needs scp (package openssh-client)");
            continue;
        }
        CAPTURE(sftp);
        Quiet quiet;
        TestSshServer::Options options;
        options.sftp = sftp;
        TestSshServer server(options);
        const TempDirectory scratch("vt-copy-test-");
        const auto source = scratch.path() / "src";
        std::filesystem::create_directories(source / "sub");
        std::string big(300000, 'b');
        big[123456] = '\0';
        write_file_atomically(source / "big", big, 0640);
        write_file_atomically(source / "sub" / "empty", "", 0755);
        std::vector<std::string> log;
        CopyOptions copy;
        copy.log = [&](const std::string& line) { log.push_back(line); };
        const auto there = scratch.path() / "there";
        copy_to(target_of(server), {source}, there.string(), copy, soon());
        CHECK(read_file(there / "big") == big);
        CHECK(std::filesystem::exists(there / "sub" / "empty"));
        CHECK(log.size() == 2);
        // Into a directory that is there.
        copy_to(target_of(server), {source / "big"}, (there / "sub").string(), copy, soon());
        CHECK(read_file(there / "sub" / "big") == big);

        const auto back = scratch.path() / "back";
        std::filesystem::create_directory(back);
        copy_from(target_of(server), {there.string()}, back, copy, soon());
        CHECK(read_file(back / "there" / "big") == big);
        CHECK((std::filesystem::status(back / "there" / "sub" / "empty").permissions() &
               std::filesystem::perms::owner_exec) != std::filesystem::perms::none);
        if (sftp) {
            copy_from(target_of(server), {(there / "b*").string()}, back, copy, soon());
            CHECK(read_file(back / "big") == big);
            CHECK_THROWS_AS(copy_from(target_of(server), {(there / "z*").string()}, back, copy, soon()),
                            TransferFailedError);
        }
        CHECK_THROWS_AS(copy_from(target_of(server), {(there / "none").string()}, back, copy, soon()),
                        TransferFailedError);
        CHECK_THROWS_AS(copy_to(target_of(server), {scratch.path() / "none"}, there.string(), copy, soon()),
                        TransferFailedError);
    }
}

TEST_CASE("a slow copy ends with its deadline") {
    if (!std::filesystem::exists("/usr/lib/openssh/sftp-server")) {
        MESSAGE("skipped: needs /usr/lib/openssh/sftp-server (package openssh-sftp-server)");
        return;
    }
    Quiet quiet;
    TestSshServer server({});
    const TempDirectory scratch("vt-copy-test-");
    write_file_atomically(scratch.path() / "big", std::string(1 << 20, 'b'));
    CopyOptions copy;
    copy.bytes_per_second = 1e5;
    const Stopwatch watch;
    CHECK_THROWS_AS(copy_to(target_of(server), {scratch.path() / "big"}, (scratch.path() / "there").string(),
                            copy, Deadline::after(Seconds{1})),
                    TransferTimeoutError);
    CHECK(watch.seconds() < 5);
    auto target = target_of(server);
    target.password = "wrong";
    CHECK_THROWS_AS(copy_to(target, {scratch.path() / "big"}, "/tmp/x", copy, soon()), AuthenticationError);
}

TEST_CASE("a shell that ends at once") {
    Quiet quiet;
    TestSshServer::Options options;
    options.shell = {"/bin/false"};
    TestSshServer server(options);
    IoLoop loop;
    CHECK_THROWS_AS(ssh_login(loop, target_of(server), soon()), LoginProcessTerminatedError);
}

}  // namespace vt
