// SPDX-License-Identifier: GPL-2.0-or-later
// Memory beyond the machine's own, NUMA nodes; throttle groups and IO threads for disks.
#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/build/builder.hpp"

#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

/// Properties that Avocado-VT takes from KEY_mem for a back end, and those of each kind of device from
/// KEY_dimm or KEY_memory.
constexpr std::array<std::string_view, 16> of_backend = {
    "size",    "share",   "prealloc",    "policy",          "host-nodes", "merge",
    "dump",    "reserve", "mem-path",    "align",           "pmem",       "discard-data",
    "hugetlb", "seal",    "hugetlbsize", "prealloc-threads"};
constexpr std::array<std::string_view, 8> of_dimm = {"node",       "slot",    "addr", "uuid",
                                                     "label-size", "unarmed", "pmem", "lsa"};
constexpr std::array<std::string_view, 6> of_virtio_mem = {"node",    "block-size", "requested-size",
                                                           "memaddr", "prealloc",   "unplugged-inaccessible"};

/// The same for the same name.
std::string uuid_for(const std::string& name) {
    const auto digest = content_digest("memory module " + name) + content_digest("the same, " + name);
    return fmt::format("{}-{}-5{}-8{}-{}", digest.substr(0, 8), digest.substr(8, 4), digest.substr(13, 3),
                       digest.substr(17, 3), digest.substr(20, 12));
}

template <typename Names>
std::vector<std::pair<std::string, std::string>> suffixed(const Params& view, const Names& names,
                                                          std::string_view suffix) {
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& name : names) {
        if (auto value = view.get(fmt::format("{}_{}", name, suffix)); !value.empty()) {
            found.emplace_back(std::string(name), std::move(value));
        }
    }
    return found;
}

}  // namespace

std::vector<MemoryDevice> memory_devices_from_params(const Params& params) {
    std::vector<MemoryDevice> modules;
    for (const auto& name : params.objects("mem_devs")) {
        const Params view = params.object_params(name);
        MemoryDevice module;
        module.name = name;
        module.backend = view.get("backend_mem", "memory-backend-ram");
        module.backend_properties = suffixed(view, of_backend, "mem");
        const auto model = view.get("vm_memdev_model", "dimm");
        if (view.get("use_mem", "yes") == "yes") {
            if (model == "dimm") {
                module.device = view.get("nv_backend").empty() ? "pc-dimm" : "nvdimm";
                module.device_properties = suffixed(view, of_dimm, "dimm");
                // Only a module that keeps its content has one; upstream sets it for all.
                std::erase_if(module.device_properties, [&](const auto& property) {
                    return property.first == "uuid" && module.device == "pc-dimm";
                });
                for (auto& [property, value] : module.device_properties) {
                    value = property == "uuid" && value == "<auto>" ? uuid_for(name) : value;
                }
            } else if (model == "virtio-mem" || model == "virtio-pmem") {
                module.device = model + "-pci";
                module.device_properties = suffixed(view, of_virtio_mem, "memory");
            } else {
                throw BadParam("vm_memdev_model_" + name, model, "dimm, virtio-mem or virtio-pmem");
            }
        }
        modules.push_back(std::move(module));
    }
    return modules;
}

void Builder::add_memory_device(const MemoryDevice& module) {
    Node back_end;
    back_end.form = Form::object;
    back_end.driver = module.backend;
    back_end.qid = "mem-" + module.name;
    back_end.origin = module.name;
    for (const auto& [name, value] : module.backend_properties) {
        back_end.props.set(name, value);
    }
    const auto inserted = add(std::move(back_end));
    if (module.device.empty()) {
        return;
    }
    Props props{{"memdev", inserted->qid}};
    for (const auto& [name, value] : module.device_properties) {
        props.set(name, value);
    }
    const bool dimm = module.device == "pc-dimm" || module.device == "nvdimm";
    const std::string driver =
        dimm ? module.device : virtio(module.device.substr(0, module.device.rfind('-')));
    const std::string kind = dimm                                       ? "dimm-"
                             : module.device.starts_with("virtio-pmem") ? "virtio_pmem-"
                                                                        : "virtio_mem-";
    device(driver, kind + module.name, std::move(props), {}, {}, {inserted->qid}, module.name);
}

std::vector<ThrottleGroup> throttle_groups_from_params(const Params& params) {
    std::vector<ThrottleGroup> groups;
    for (const auto& name : params.objects("throttle_groups")) {
        ThrottleGroup group{name, {}};
        const auto text = params.object_params(name).get("throttle_group_parameters", "{}");
        const auto limits = nlohmann::json::parse(text, nullptr, false);
        const bool numbers =
            limits.is_object() && std::all_of(limits.begin(), limits.end(),
                                              [](const auto& limit) { return limit.is_number_integer(); });
        if (!numbers) {
            throw BadParam("throttle_group_parameters_" + name, text, "limits by name, {\"iops-total\": 40}");
        }
        for (const auto& [limit, value] : limits.items()) {
            group.limits.emplace_back(limit, value.get<std::int64_t>());
        }
        groups.push_back(std::move(group));
    }
    return groups;
}

std::vector<IoThread> iothreads_from_params(const Params& params) {
    std::vector<IoThread> threads;
    const auto scheme = params.get("iothread_scheme");
    if (!scheme.empty() && scheme != "roundrobin" && scheme != "oto" && scheme != "rhv") {
        throw BadParam("iothread_scheme", scheme, "roundrobin, oto or rhv");
    }
    auto names = scheme == "oto" ? std::vector<std::string>() : params.objects("iothreads");
    if (scheme == "rhv") {
        names.resize(1, "iothread0");
    }
    for (const auto& name : names) {
        threads.push_back({name, params.object_params(name).get("iothread_poll_max_ns")});
    }
    return threads;
}

void Builder::add_objects() {
    for (const auto& module : spec.memory_devices) {
        if (!module.device.starts_with("virtio")) {  // those come behind root ports, which come later
            add_memory_device(module);
        }
    }
    for (const auto& thread : spec.iothreads) {
        Node node;
        node.form = Form::object;
        node.driver = "iothread";
        node.qid = node.origin = thread.name;
        node.props.set_text("poll-max-ns", thread.poll_max_ns);
        add(std::move(node));
    }
    for (const auto& group : spec.throttle_groups) {
        Node node;
        node.form = Form::object;
        node.driver = "throttle-group";
        node.qid = node.origin = group.name;
        for (const auto& [limit, value] : group.limits) {
            node.props.set("x-" + limit, value);
        }
        add(std::move(node));
    }
}

}  // namespace vt::qemu
