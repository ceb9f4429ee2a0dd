// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/progress.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/support/error.hpp"
#include "runner/support/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <fcntl.h>
#include <sys/stat.h>

namespace vt::block {

/// All on the loop's thread.
struct Progress::State : std::enable_shared_from_this<Progress::State> {
    State(boost::asio::io_context& context, int fd, std::function<void(std::string_view)> handler)
        : pipe(context, fd), on_line(std::move(handler)) {}

    void read() {
        pipe.async_read_some(boost::asio::buffer(chunk),
                             [self = shared_from_this()](const auto& error, std::size_t count) {
                                 if (!error) {
                                     self->take({self->chunk.data(), count});
                                     self->read();
                                 }
                             });
    }

    void take(std::string_view bytes) {
        constexpr std::size_t longest_line = 65536;
        line += bytes;
        for (auto end = line.find('\n'); end != std::string::npos; end = line.find('\n')) {
            on_line(std::string_view(line).substr(0, end));
            line.erase(0, end + 1);
        }
        if (line.size() > longest_line) {
            line.clear();
        }
    }

    boost::asio::posix::stream_descriptor pipe;
    std::function<void(std::string_view)> on_line;
    std::array<char, 4096> chunk{};
    std::string line;
};

Progress::Progress(IoLoop& loop, const std::filesystem::path& file,
                   std::function<void(std::string_view)> on_line)
    : loop_(loop) {
    if (::mkfifo(file.c_str(), 0600) != 0) {
        throw SystemError("cannot make the pipe " + file.string(), errno);
    }
    // For writing too, so that it never ends while scripts come and go.
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!fd) {
        throw SystemError("cannot open the pipe " + file.string(), errno);
    }
    loop.run_there([&] {
        state_ = std::make_shared<State>(loop.context(), fd.release(), std::move(on_line));
        state_->read();
    });
}

Progress::~Progress() {
    loop_.run_there([this] {
        // What the script has told before its end is there to be read.
        const auto count = ::read(state_->pipe.native_handle(), state_->chunk.data(), state_->chunk.size());
        if (count > 0) {
            state_->take({state_->chunk.data(), static_cast<std::size_t>(count)});
        }
        boost::system::error_code ignored;
        state_->pipe.close(ignored);
        state_->on_line = [](std::string_view) {};
    });
}

}  // namespace vt::block
