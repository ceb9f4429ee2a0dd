// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/io_loop.hpp"

#include <csignal>
#include <future>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <pthread.h>

namespace vt {
namespace asio = boost::asio;

struct IoLoop::Impl {
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    std::thread thread;
};

IoLoop::IoLoop() : impl_(std::make_unique<Impl>()) {
    // Signals are for the thread that decides about them, so this one starts with all of them blocked.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    impl_->thread = std::thread([this] { impl_->context.run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

IoLoop::~IoLoop() {
    impl_->context.stop();
    impl_->thread.join();
}

asio::io_context& IoLoop::context() {
    return impl_->context;
}

void IoLoop::run_there(const std::function<void()>& work) {
    if (is_here()) {
        work();
        return;
    }
    std::packaged_task<void()> task(work);
    auto done = task.get_future();
    asio::post(impl_->context, [&task] { task(); });
    done.get();
}

bool IoLoop::is_here() const {
    return std::this_thread::get_id() == impl_->thread.get_id();
}

}  // namespace vt
