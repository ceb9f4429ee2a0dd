// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Under the modules `iotests` and `qemu`: programs, QMP connections, filters, images.
///
/// Scripts use alarms (iotests.Timeout), so every wait here is a poll(2) on the script's thread, which a
/// signal ends: Python's handler runs, and if it raises, that comes out.
#include "runner/harness/block/filters.hpp"
#include "runner/harness/block/image.hpp"
#include "runner/harness/block/program.hpp"
#include "runner/monitor/monitor_error.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/python/module/bind.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/python/module/own_loop.hpp"
#include "runner/support/log.hpp"
#include "runner/support/unique_fd.hpp"

#include <cerrno>

#include <nlohmann/json.hpp>
#include <poll.h>
#include <pybind11/stl.h>
#include <sys/eventfd.h>

namespace vt::python {
namespace {

using nlohmann::json;

Deadline deadline_in(const std::optional<double>& seconds) {
    return seconds ? Deadline::after(Seconds{*seconds}) : Deadline::never();
}

/// Waits until \p fd is readable; false once \p deadline has passed. Throws what a signal's handler raises.
bool wait_with_signals(int fd, const Deadline& deadline) {
    for (;;) {
        pollfd wanted{fd, POLLIN, 0};
        int errnum = 0;  // before the GIL is taken again, which may change it
        const int count = without_gil([&] {
            const int ready = ::poll(&wanted, 1, deadline.poll_timeout_ms());
            errnum = errno;
            return ready;
        });
        if (PyErr_CheckSignals() != 0) {
            throw py::error_already_set();
        }
        if (count > 0) {
            return true;
        }
        if (count == 0 || errnum != EINTR) {
            return false;
        }
    }
}

/// \p call's result; a lost connection and an answer that does not come are Python's own exceptions, which
/// the modules give their names.
template <typename Call>
auto as_python_errors(Call&& call) {
    try {
        return std::forward<Call>(call)();
    } catch (const MonitorSocketError& error) {
        PyErr_SetString(PyExc_ConnectionResetError, error.what());
        throw py::error_already_set();
    } catch (const MonitorProtocolError& error) {
        PyErr_SetString(PyExc_TimeoutError, error.what());
        throw py::error_already_set();
    }
}

/// A QMP connection and a descriptor that is readable while events or the end of the connection await notice.
class QmpLink {
  public:
    QmpLink(int socket, const std::string& name, const std::string& log_file,
            const std::optional<double>& timeout, bool negotiate)
        : told_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        MonitorAddress address{name, name, {}, log_file};
        address.silence = Seconds{86400};  // the script's own limits count
        monitor_ = as_python_errors([&] {
            return without_gil([&] {
                return QmpMonitor::attach(own_loop(), address, UniqueFd(socket), deadline_in(timeout),
                                          negotiate);
            });
        });
        const int told = told_.get();
        const auto tell = [told] {
            const std::uint64_t one = 1;
            static_cast<void>(::write(told, &one, sizeof one));
        };
        handler_ = monitor_->on_event([tell](const QmpEvent&) { tell(); });
        monitor_->on_closed([tell](const std::string&) { tell(); });
    }
    QmpLink(const QmpLink&) = delete;
    QmpLink& operator=(const QmpLink&) = delete;
    ~QmpLink() {
        const py::gil_scoped_release release;
        monitor_->remove_handler(handler_);
        monitor_.reset();
    }

    /// The whole reply, with the caller's id or none.
    py::object command(const py::dict& object, const std::optional<double>& timeout) {
        json request = json_of(object);
        const auto given = request.find("id") == request.end() ? json() : request["id"];
        json reply = as_python_errors([&] {
            return without_gil([&] { return monitor_->command_object(request, deadline_in(timeout)); });
        });
        if (given.is_null()) {
            reply.erase("id");
        } else {
            reply["id"] = given;
        }
        return python_from(reply);
    }

    /// The oldest event; None if none comes within \p timeout (None: for ever).
    py::object event(const std::optional<double>& timeout) {
        const auto deadline = deadline_in(timeout);
        for (;;) {
            std::uint64_t count = 0;
            static_cast<void>(::read(told_.get(), &count, sizeof count));
            auto events = taken_.empty() ? monitor_->take_events() : std::vector<QmpEvent>();
            taken_.insert(taken_.end(), std::make_move_iterator(events.begin()),
                          std::make_move_iterator(events.end()));
            if (!taken_.empty()) {
                auto object = python_from(taken_.front().object());
                taken_.erase(taken_.begin());
                return object;
            }
            if (!monitor_->is_open()) {
                // Its words for why; it has no event any more.
                as_python_errors([&] { return monitor_->take_event({}, Deadline::after(Seconds{0})); });
            }
            if (!wait_with_signals(told_.get(), deadline)) {
                return py::none();
            }
        }
    }

    py::list events() {
        py::list found;
        for (auto& event : taken_) {
            found.append(python_from(event.object()));
        }
        taken_.clear();
        for (const auto& event : monitor_->take_events()) {
            found.append(python_from(event.object()));
        }
        return found;
    }

    void send_descriptor(int descriptor) {
        as_python_errors([&] { monitor_->send_descriptor(descriptor); });
    }
    py::object greeting() const { return python_from(monitor_->greeting()); }
    bool is_open() const { return monitor_->is_open(); }
    void close() {
        const py::gil_scoped_release release;
        monitor_->close();
    }

  private:
    UniqueFd told_;
    std::unique_ptr<QmpMonitor> monitor_;
    std::uint64_t handler_ = 0;
    std::vector<QmpEvent> taken_;
};

/// Python's returncode: negative for a signal.
py::object code_of(const std::optional<process::ExitStatus>& status) {
    return status ? py::cast(status->signal != 0 ? -status->signal : status->code) : py::none();
}

void bind_block_program(py::module_& module) {
    using block::Program;
    py::class_<Program>(module, "BlockProgram")
        .def(py::init([](std::vector<std::string> argv, std::optional<int> output) {
                 block::ProgramStart start{std::move(argv), output, block::inheritable_descriptors()};
                 return without_gil([&] { return std::make_unique<Program>(start); });
             }),
             py::arg("argv"), py::arg("output"))
        .def_property_readonly("pid", &Program::pid)
        .def("poll", [](Program& self) { return code_of(self.poll()); })
        .def("wait",
             [](Program& self, std::optional<double> timeout) {
                 return wait_with_signals(self.pidfd(), deadline_in(timeout)) ? code_of(self.poll())
                                                                              : py::none();
             })
        .def("signal", &Program::signal)
        .def("await_file", [](Program& self, const std::string& file, std::optional<double> timeout) {
            return without_gil([&] { return block::await_file(file, self, deadline_in(timeout)); });
        });
}

void bind_block_filters(py::module_& module) {
    using block::Names;
    py::class_<Names>(module, "BlockNames")
        .def(py::init(
            [](std::string test_dir, std::string sock_dir, std::string format, int pid, bool compression) {
                return Names{std::move(test_dir), std::move(sock_dir), std::move(format), pid, compression};
            }))
        .def("file_name",
             [](const Names& self, const std::string& name) { return block::file_name(name, self); })
        .def("test_dir", [](const Names& self,
                            std::string text) { return block::filter_test_dir(std::move(text), self); })
        .def("testfiles", [](const Names& self,
                             std::string text) { return block::filter_testfiles(std::move(text), self); })
        .def("imgfmt",
             [](const Names& self, std::string text) { return block::filter_imgfmt(std::move(text), self); })
        .def("img_info", [](const Names& self, const std::string& output, const std::string& file) {
            return block::filter_img_info(output, file, self);
        });
    module.def("block_filter_win32", &block::filter_win32);
    module.def("block_filter_qemu_io", &block::filter_qemu_io);
    module.def("block_filter_chown", [](const std::string& text) { return block::filter_chown(text); });
    module.def("block_filter_virtio_scsi", &block::filter_virtio_scsi);
    module.def("block_filter_node_ids",
               [](const std::string& text) { return block::filter_generated_node_ids(text); });
    module.def("block_filter_nbd_exports",
               [](const std::string& text) { return block::filter_nbd_exports(text); });
}

}  // namespace

void bind_block(py::module_& module) {
    py::class_<QmpLink>(module, "QmpLink")
        .def(py::init<int, const std::string&, const std::string&, const std::optional<double>&, bool>(),
             py::arg("socket"), py::arg("name"), py::arg("log_file"), py::arg("timeout"),
             py::arg("negotiate"), "Takes over the descriptor of a connected socket.")
        .def("command", &QmpLink::command, py::arg("object"), py::arg("timeout"))
        .def("event", &QmpLink::event, py::arg("timeout"))
        .def("events", &QmpLink::events)
        .def("send_descriptor", &QmpLink::send_descriptor)
        .def("is_open", &QmpLink::is_open)
        .def("close", &QmpLink::close)
        .def_property_readonly("greeting", &QmpLink::greeting);
    bind_block_program(module);
    bind_block_filters(module);
    module.def(
        "block_create_image",
        [](const std::string& name, std::uint64_t size) { block::create_marked_image(name, size); },
        py::arg("name"), py::arg("size"), py::call_guard<py::gil_scoped_release>());
    module.def("block_create_arguments", &block::create_arguments);
    // A script's output is compared: the core says nothing in it but what is wrong.
    module.def("block_quiet", [] { log::set_level(log::Level::error); });
}

}  // namespace vt::python
