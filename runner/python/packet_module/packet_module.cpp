// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The extension module `_vtpacket`: frames, pcap files, daemons under test and the test bed.
#include "runner/harness/packet/packet_info.hpp"
#include "runner/harness/packet/pcap_file.hpp"
#include "runner/harness/packet/test_bed.hpp"
#include "runner/python/module/convert.hpp"
#include "runner/python/packet_module/bind_packet.hpp"

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

namespace vt::python {
namespace {

std::string frame_of(const py::handle& frame) {
    return py::bytes(py::reinterpret_borrow<py::object>(frame));
}

void translate(std::exception_ptr thrown) {
    const auto raise = [](const char* module, const char* name, const char* text) {
        const py::object type = py::module_::import(module).attr(name);
        PyErr_SetObject(type.ptr(), type(text_from(text)).ptr());
    };
    try {
        try {
            std::rethrow_exception(std::move(thrown));
        } catch (const packet::CaptureError& error) {
            raise("_vtpacket", "CaptureError", error.what());
        } catch (const packet::DaemonDied& error) {
            raise("hook", "VppDiedError", error.what());
        }
    } catch (py::error_already_set& broken) {
        broken.restore();
    }
}

void bind_frames(py::module_& module) {
    using packet::Checksum;
    py::class_<Checksum>(module, "Checksum")
        .def_readonly("layer", &Checksum::layer)
        .def_readonly("offset", &Checksum::offset)
        .def_readonly("found", &Checksum::found)
        .def_readonly("expected", &Checksum::expected)
        .def_property_readonly("valid", &Checksum::valid);
    module.def("checksums", [](const py::bytes& frame, bool ignore_zero_udp) {
        return packet::checksums(frame_of(frame), ignore_zero_udp);
    });
    module.def("checksum_complaint", [](const py::bytes& frame, bool ignore_zero_udp) {
        return packet::checksum_complaint(frame_of(frame), ignore_zero_udp);
    });
    module.def("with_checksums",
               [](const py::bytes& frame) { return py::bytes(packet::with_checksums(frame_of(frame))); });
    module.def("extended", [](const py::bytes& frame, std::size_t size, const py::bytes& padding) {
        return py::bytes(packet::extended(frame_of(frame), size, frame_of(padding)));
    });
    module.def("payload", [](const py::bytes& frame) -> py::object {
        const auto bytes = frame_of(frame);
        const auto found = packet::payload(bytes);
        return found ? py::object(py::bytes(found->data(), found->size())) : py::object(py::none());
    });
    module.def("is_ipv6_misc", [](const py::bytes& frame) { return packet::is_ipv6_misc(frame_of(frame)); });
    module.def("text", [](const py::bytes& frame) { return packet::text(frame_of(frame)); });
    const auto end_of = [](const py::tuple& end) {
        return packet::End{end[0].cast<std::string>(), end[1].cast<std::string>(),
                           end[2].cast<std::uint16_t>()};
    };
    module.def("udp_frame", [end_of](const py::tuple& from, const py::tuple& to, const py::bytes& data) {
        return py::bytes(packet::udp_frame(end_of(from), end_of(to), frame_of(data)));
    });
}

void bind_infos(py::module_& module) {
    module.def("info_to_payload", [](int index, int src, int dst, int ip, int proto) {
        return packet::info_to_payload({index, src, dst, ip, proto, {}});
    });
    module.def("payload_to_info", [](const py::object& payload) {
        const auto info = packet::payload_to_info(bytes_of(payload));
        return py::make_tuple(info.index, info.src, info.dst, info.ip, info.proto);
    });
    using packet::PacketInfos;
    py::class_<PacketInfos>(module, "PacketInfos")
        .def(py::init<>())
        .def("create", [](PacketInfos& self, int src, int dst,
                          int count_for) { return self.create(src, dst, count_for).index; })
        .def("count_for", &PacketInfos::count_for)
        .def("reset", &PacketInfos::reset)
        .def("complaint", [](const PacketInfos& self, const py::iterable& frames, int dst) {
            const auto all = frames_of(frames);
            return without_gil([&] { return self.complaint(all, dst); });
        });
}

}  // namespace

py::list list_from(const std::vector<packet::Frame>& frames) {
    py::list list(frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
        list[i] = py::bytes(frames[i]);
    }
    return list;
}

std::vector<packet::Frame> frames_of(const py::iterable& frames) {
    std::vector<packet::Frame> found;
    for (const auto& frame : frames) {
        found.push_back(frame_of(frame));
    }
    return found;
}

}  // namespace vt::python

PYBIND11_MODULE(_vtpacket, module) {
    using namespace vt::python;
    module.doc() = "The core of packet tests; use framework and its siblings instead.";
    pybind11::module_::import("_vt");  // its exceptions
    bind_frames(module);
    bind_infos(module);
    module.def("write_pcap", [](const std::filesystem::path& path, const pybind11::iterable& frames) {
        const auto all = frames_of(frames);
        without_gil([&] { vt::packet::write_pcap(path, all); });
    });
    module.def("read_pcap", [](const std::filesystem::path& path) {
        return list_from(without_gil([&] { return vt::packet::read_pcap(path); }));
    });
    const auto bases =
        pybind11::make_tuple(pybind11::module_::import("_vt").attr("Error"),
                             pybind11::reinterpret_borrow<pybind11::object>(PyExc_AssertionError));
    static const pybind11::exception<vt::packet::CaptureError> capture_error(module, "CaptureError",
                                                                             bases.ptr());
    pybind11::register_exception_translator(&translate);
    bind_daemon(module);
    bind_bed(module);
}
