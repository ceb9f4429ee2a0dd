// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/json_rpc.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/io/socket_reader.hpp"
#include "runner/support/log.hpp"

#include <cctype>
#include <cerrno>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/eventfd.h>

namespace vt {
namespace {

using Json = nlohmann::json;

/// How long the peer may take to read what we send it unasked.
constexpr Seconds answer_patience{5};

/// A call whose reply is awaited; its descriptor becomes readable with the reply, or with the connection's
/// end.
struct Pending {
    UniqueFd woken{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::optional<Json> reply;
};

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>()
                             : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

/// Adds \p c to the text; true if that completes it.
bool JsonSplitter::take(char c) {
    partial_ += c;
    if (in_string_) {
        if (escaped_) {
            escaped_ = false;
        } else if (c == '\\') {
            escaped_ = true;
        } else if (c == '"') {
            in_string_ = false;
        }
        return false;
    }
    if (c == '"') {
        in_string_ = true;
    } else if (c == '{' || c == '[') {
        ++depth_;
    } else if (c == '}' || c == ']') {
        return --depth_ == 0;
    }
    return false;
}

std::vector<std::string> JsonSplitter::feed(std::string_view bytes) {
    std::vector<std::string> texts;
    for (const char c : bytes) {
        if (partial_.empty()) {
            if (std::isspace(static_cast<unsigned char>(c)) != 0) {
                continue;
            }
            if (c != '{') {
                throw Error(fmt::format("a JSON object was expected, but 0x{:02x} came",
                                        static_cast<unsigned>(static_cast<unsigned char>(c))));
            }
        }
        if (take(c)) {
            texts.push_back(std::exchange(partial_, {}));
        } else if (partial_.size() > limit_) {
            throw Error(fmt::format("a JSON text goes on after {} bytes", limit_));
        }
    }
    return texts;
}

struct JsonRpc::Impl {
    Impl(std::string its_peer, Notified its_notified)
        : peer(std::move(its_peer)), notified(std::move(its_notified)) {}

    void on_bytes(std::string_view bytes) {
        try {
            for (const auto& text : splitter.feed(bytes)) {
                on_message(Json::parse(text));
            }
        } catch (const std::exception& error) {
            over(fmt::format("{} does not speak JSON-RPC: {}", peer, error.what()));
            reader->close();
        }
    }

    void on_message(const Json& message) {
        const auto id = message.value("id", Json());
        if (!message.contains("method")) {
            reply(id, message);
        } else if (id.is_null()) {
            if (notified && message["method"].is_string()) {
                notified(message["method"].get<std::string>(), message.value("params", Json::array()));
            }
        } else {
            answer(message);
        }
    }

    void reply(const Json& id, const Json& message) {
        const std::lock_guard lock(mutex);
        const auto found = id.is_number_unsigned() ? pending.find(id.get<std::uint64_t>()) : pending.end();
        if (found == pending.end()) {
            log::debug("{}: nobody waits for reply {}", peer, id.dump());
            return;
        }
        found->second->reply = message;
        ::eventfd_write(found->second->woken.get(), 1);
    }

    /// The peer asks whether we live: RFC 7047, 4.1.11.
    void answer(const Json& message) {
        const bool echo = message["method"] == "echo";
        Json said{{"id", message["id"]}, {"result", nullptr}, {"error", nullptr}};
        said[echo ? "result" : "error"] =
            echo ? message.value("params", Json::array()) : Json("unknown method");
        try {
            reader->write(said.dump(), Deadline::after(answer_patience));
        } catch (const Error& error) {
            log::debug("{}: {}", peer, error.what());
        }
    }

    void over(const std::string& why) {
        const std::lock_guard lock(mutex);
        if (reason.empty()) {
            reason = why;
        }
        for (const auto& one : pending) {
            ::eventfd_write(one.second->woken.get(), 1);
        }
    }

    /// Registers a call. Throws Error once the connection is over.
    std::pair<std::uint64_t, std::shared_ptr<Pending>> begin() {
        auto waiting = std::make_shared<Pending>();
        if (!waiting->woken) {
            throw SystemError("cannot make an event descriptor", errno);
        }
        const std::lock_guard lock(mutex);
        if (!reason.empty()) {
            throw Error(reason);
        }
        const auto id = next_id++;
        pending.emplace(id, waiting);
        return {id, std::move(waiting)};
    }

    void forget(std::uint64_t id) {
        const std::lock_guard lock(mutex);
        pending.erase(id);
    }

    const std::string peer;
    const Notified notified;
    JsonSplitter splitter;                 ///< the loop's
    std::unique_ptr<SocketReader> reader;  ///< outlives every handler
    std::mutex mutex;
    std::map<std::uint64_t, std::shared_ptr<Pending>> pending;
    std::uint64_t next_id = 1;
    std::string reason;  ///< why the connection is over
};

JsonRpc::JsonRpc(IoLoop& loop, UniqueFd socket, std::string peer, Notified notified)
    : impl_(std::make_unique<Impl>(std::move(peer), std::move(notified))) {
    // On the loop's thread, so that no handler runs before the reader's name is set.
    loop.run_there([&] {
        impl_->reader = std::make_unique<SocketReader>(
            loop, std::move(socket),
            SocketReader::Handlers{[impl = impl_.get()](std::string_view bytes) { impl->on_bytes(bytes); },
                                   [impl = impl_.get()](const std::string& reason) {
                                       impl->over(fmt::format("{} has ended the connection: {}", impl->peer,
                                                              reason));
                                   }});
    });
}

JsonRpc::~JsonRpc() {
    impl_->reader.reset();
}

Json JsonRpc::call(const std::string& method, const Json& parameters, const Deadline& deadline,
                   const Interrupt* interrupt) {
    const auto begun = impl_->begin();
    const auto id = begun.first;
    const auto& waiting = begun.second;
    struct Forget {
        Impl& impl;
        std::uint64_t id;
        ~Forget() { impl.forget(id); }
    } const forget{*impl_, id};
    const Json request{{"id", id}, {"method", method}, {"params", parameters}};
    impl_->reader->write(request.dump(-1, ' ', false, Json::error_handler_t::replace), deadline);
    if (!wait_ready(waiting->woken.get(), POLLIN, deadline, interrupt)) {
        throw TimeoutError(fmt::format("{} did not answer \"{}\" within {:g} s", impl_->peer, method,
                                       deadline.total().count()));
    }
    const std::lock_guard lock(impl_->mutex);
    if (!waiting->reply) {
        throw Error(fmt::format("\"{}\" has no answer: {}", method, impl_->reason));
    }
    const auto error = waiting->reply->value("error", Json());
    if (!error.is_null()) {
        throw JsonRpcError(fmt::format("{} refuses \"{}\": {}", impl_->peer, method, text_of(error)),
                           text_of(error));
    }
    return waiting->reply->value("result", Json());
}

}  // namespace vt
