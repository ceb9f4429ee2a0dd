// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/socket_reader.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <fcntl.h>
#include <sys/socket.h>

namespace vt {
namespace asio = boost::asio;

struct SocketReader::State : std::enable_shared_from_this<State> {
    State(IoLoop& its_loop, UniqueFd its_socket, Handlers its_handlers)
        : loop(its_loop),
          socket(std::move(its_socket)),
          handlers(std::move(its_handlers)),
          watched(its_loop.context()) {}

    void read() {
        watched.async_read_some(
            asio::buffer(chunk), [self = shared_from_this()](const auto& error, std::size_t got) {
                if (self->closed) {
                    return;
                }
                if (error) {
                    self->end(error == asio::error::eof ? "the peer closed the connection" : error.message());
                    return;
                }
                self->handlers.on_bytes({self->chunk.data(), got});
                self->read();
            });
    }

    void end(const std::string& reason) {
        if (!closed.exchange(true)) {
            handlers.on_end(reason);
        }
    }

    IoLoop& loop;
    UniqueFd socket;  ///< for writers; the loop reads a duplicate
    Handlers handlers;
    std::mutex write_mutex;
    std::atomic<bool> closed{false};
    asio::posix::stream_descriptor watched;  ///< only on the loop's thread
    std::array<char, 65536> chunk{};
};

SocketReader::SocketReader(IoLoop& loop, UniqueFd socket, Handlers handlers)
    : state_(std::make_shared<State>(loop, std::move(socket), std::move(handlers))) {
    const int duplicate = ::fcntl(state_->socket.get(), F_DUPFD_CLOEXEC, 0);
    if (duplicate < 0) {
        throw SystemError("duplicate a socket", errno);
    }
    loop.run_there([&] {
        state_->watched.assign(duplicate);
        state_->read();
    });
}

SocketReader::~SocketReader() {
    close();
    state_->loop.run_there([this] {
        boost::system::error_code ignored;
        state_->watched.close(ignored);
    });
}

void SocketReader::write(std::string_view bytes, const Deadline& deadline) {
    const std::lock_guard lock(state_->write_mutex);
    send_all(state_->socket.get(), bytes, deadline);
}

void SocketReader::close() {
    state_->closed = true;
    ::shutdown(state_->socket.get(), SHUT_RDWR);
}

}  // namespace vt
