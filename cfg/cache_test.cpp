// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/cache.hpp"

#include "cfg/test_support.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <fstream>
#include <thread>

#include <doctest/doctest.h>
#include <sys/stat.h>

using namespace vt::cfg;
using vt::cfg::testing::show;

namespace {

namespace fs = std::filesystem;

class Cache {
  public:
    Cache() { write("variants:\n  - a:\n  - b: a\nk = ${name}\nx_max = 3\n"); }
    ~Cache() { vt::log::set_sink({}); }
    Cache(const Cache&) = delete;
    Cache& operator=(const Cache&) = delete;

    void write(const std::string& text) { std::ofstream(file()) << text; }
    std::string file() const { return (directory_.path() / "main.cfg").string(); }
    fs::path cache() const { return directory_.path() / "cache"; }

    std::string run() { return show(load({Input::file(file()), Input::no("z")}, {}, cache())); }

    std::vector<fs::path> entries() const {
        std::vector<fs::path> result;
        for (const auto& entry : fs::directory_iterator(cache())) {
            result.push_back(entry.path());
        }
        return result;
    }

    /// What is logged from now on.
    std::string& log() {
        vt::log::set_sink([this](vt::log::Level, std::string_view, std::string_view line) { log_ += line; });
        return log_;
    }

  private:
    vt::TempDirectory directory_{"cfg-cache-test"};
    std::string log_;
};

const std::string expected = "a{k=a x_max=3 x=3} b{k=b x_max=3 x=3}";

}  // namespace

TEST_CASE("what comes from the cache is what was read") {
    Cache cache;
    CHECK(cache.run() == expected);
    REQUIRE(cache.entries().size() == 1);
    CHECK(cache.run() == expected);
    CHECK(cache.entries().size() == 1);
    struct stat status = {};
    REQUIRE(::stat(cache.cache().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0700);
}

TEST_CASE("a changed file is read again, even if its size and time are the same") {
    Cache cache;
    cache.run();
    cache.log();
    const auto time = fs::last_write_time(cache.file());
    cache.write("variants:\n  - a:\n  - c: a\nk = ${name}\nx_max = 3\n");
    fs::last_write_time(cache.file(), time);
    CHECK(cache.run() == "a{k=a x_max=3 x=3} c{k=c x_max=3 x=3}");
    CHECK(cache.log().find("has changed") != std::string::npos);
}

TEST_CASE("a damaged or truncated entry is ignored with a log line") {
    Cache cache;
    cache.run();
    const fs::path entry = cache.entries().front();
    const auto size = fs::file_size(entry);
    for (const std::uintmax_t position : {std::uintmax_t{3}, size / 2, size - 1}) {
        cache.run();
        {
            std::fstream stream(entry, std::ios::in | std::ios::out | std::ios::binary);
            stream.seekg(static_cast<std::streamoff>(position));
            const char old = static_cast<char>(stream.get());
            stream.seekp(static_cast<std::streamoff>(position));
            stream.put(static_cast<char>(old ^ 0x55));
        }
        std::string& log = cache.log();
        log.clear();
        CHECK(cache.run() == expected);
        CHECK(log.find("damaged") != std::string::npos);
    }
    fs::resize_file(entry, 10);
    CHECK(cache.run() == expected);
    fs::resize_file(entry, 0);
    CHECK(cache.run() == expected);
}

TEST_CASE("different statements and options have different entries") {
    Cache cache;
    cache.run();
    CHECK(show(load({Input::file(cache.file()), Input::only("b")}, {}, cache.cache())) ==
          "b{k=b x_max=3 x=3}");
    CHECK(show(load({Input::file(cache.file()), Input::no("b")}, {}, cache.cache())) == "a{k=a x_max=3 x=3}");
    CHECK(cache.entries().size() == 3);
}

TEST_CASE("a directory that others can enter is not used") {
    Cache cache;
    fs::create_directory(cache.cache());
    fs::permissions(cache.cache(), fs::perms::all);
    cache.log();
    CHECK(cache.run() == expected);
    CHECK(cache.entries().empty());
    CHECK(cache.log().find("private directory") != std::string::npos);
}

TEST_CASE("errors are not cached") {
    Cache cache;
    cache.write("only\n");
    CHECK_THROWS_AS(cache.run(), ParserError);
    CHECK(cache.entries().empty());
}

TEST_CASE("parallel writers do not meet") {
    Cache cache;
    cache.log();
    std::vector<std::thread> threads;
    std::vector<std::string> results(8);
    for (std::size_t i = 0; i < results.size(); ++i) {
        threads.emplace_back([&, i] { results[i] = cache.run(); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const std::string& result : results) {
        CHECK(result == expected);
    }
    CHECK(cache.entries().size() == 1);
}
