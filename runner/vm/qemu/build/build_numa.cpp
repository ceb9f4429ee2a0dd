// SPDX-License-Identifier: GPL-2.0-or-later
// NUMA nodes, what the guest is told of their distances and speed, and the machine's own memory.
#include "runner/caps/capabilities.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/build/builder.hpp"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// QEMU wants both latency and bandwidth of a node before a cache of it.
void read_hmat(NumaNode& node, const std::string& id, const Params& view) {
    const auto initiator = view.get("numa_hmat_lb_initiator", id);
    bool latency = false, bandwidth = false;
    for (const auto& name : view.objects("numa_hmat_lb")) {
        const Params one = view.object_params(name);
        const auto type = one.get("numa_hmat_lb_data_type");
        Pairs pairs{{"initiator", initiator},
                    {"target", id},
                    {"hierarchy", one.get("numa_hmat_lb_hierarchy", "memory")},
                    {"data-type", type}};
        if (type.find("latency") != std::string::npos) {
            pairs.emplace_back("latency", one.get("numa_hmat_lb_latency"));
            latency = true;
        } else if (type.find("bandwidth") != std::string::npos) {
            pairs.emplace_back("bandwidth", one.get("numa_hmat_lb_bandwidth"));
            bandwidth = true;
        } else {
            throw BadParam("numa_hmat_lb_data_type_" + name, type,
                           "access-latency, read-latency, write-latency or the same with bandwidth");
        }
        node.latencies.push_back(std::move(pairs));
    }
    for (const auto& name : view.objects("numa_hmat_caches")) {
        const Params one = view.object_params(name);
        if (!latency || !bandwidth) {
            throw BadParam(
                "numa_hmat_caches", view.get("numa_hmat_caches"),
                fmt::format("nothing, unless latency and bandwidth of NUMA node {} are in numa_hmat_lb", id));
        }
        node.caches.push_back({{"node-id", id},
                               {"size", one.get("numa_hmat_caches_size")},
                               {"level", one.get("numa_hmat_caches_level")},
                               {"associativity", one.get("numa_hmat_caches_associativity")},
                               {"policy", one.get("numa_hmat_caches_policy")},
                               {"line", one.get("numa_hmat_caches_line")}});
    }
}

}  // namespace

std::vector<NumaNode> numa_from_params(const Params& params) {
    std::vector<NumaNode> nodes;
    for (const auto& name : params.objects("guest_numa_nodes")) {
        const Params view = params.object_params(name);
        NumaNode node{view.get("numa_nodeid"),
                      view.get("numa_mem"),
                      view.get("numa_memdev"),
                      view.get("numa_cpus"),
                      view.get("numa_initiator"),
                      {},
                      {},
                      {}};
        const auto id = node.id.empty() ? std::to_string(nodes.size()) : node.id;
        read_hmat(node, id, view);
        // "[[0, 10], [1, 20]]": pairs of node and distance.
        const auto text = view.get("numa_dist");
        const auto list = nlohmann::json::parse(text.empty() ? "[]" : text, nullptr, false);
        for (const auto& pair : list) {
            if (!list.is_array() || !pair.is_array() || pair.size() != 2) {
                throw BadParam("numa_dist_" + name, text,
                               "a list of pairs of node and distance, [[0, 10], [1, 20]]");
            }
            const auto word = [](const nlohmann::json& value) {
                return value.is_string() ? value.get<std::string>() : value.dump();
            };
            node.distances.emplace_back(word(pair[0]), word(pair[1]));
        }
        nodes.push_back(std::move(node));
    }
    return nodes;
}

std::vector<Pairs> numa_cpus_from_params(const Params& params) {
    std::vector<Pairs> cpus;
    for (const auto& name : params.objects("guest_numa_cpus")) {
        const Params view = params.object_params(name);
        Pairs pairs{{"node-id", view.get("numa_cpu_nodeid")}};
        for (const char* level : {"drawer", "book", "socket", "die", "cluster", "core", "thread"}) {
            if (auto value = view.get(fmt::format("numa_cpu_{}id", level)); !value.empty()) {
                pairs.emplace_back(std::string(level) + "-id", std::move(value));
            }
        }
        cpus.push_back(std::move(pairs));
    }
    return cpus;
}

MainMemory main_memory_from_params(const Params& params) {
    MainMemory memory;
    memory.backend = params.get("vm_mem_backend");
    const auto set = [&](const char* name, const std::string& value) {
        if (!value.empty()) {
            memory.properties.emplace_back(name, value);
        }
    };
    if (const auto pages = params.get("hugepage_path"); !pages.empty()) {
        memory.backend = "memory-backend-file";
        set("mem-path", pages);
        set("prealloc", params.get("vm_mem_prealloc", "yes"));
    } else {
        if (memory.backend == "memory-backend-file" && params.get("vm_mem_backend_path").empty()) {
            throw BadParam("vm_mem_backend_path", "",
                           "a file or directory, as vm_mem_backend is memory-backend-file");
        }
        set("mem-path", memory.backend == "memory-backend-file" ? params.get("vm_mem_backend_path") : "");
        set("prealloc", params.get("vm_mem_prealloc"));
    }
    set("policy", params.get("vm_mem_policy"));
    set("host-nodes", params.get("vm_mem_host_nodes"));
    set("share", params.get("vm_mem_share"));
    return memory;
}

void Builder::add_numa() {
    std::int64_t number = 0;
    for (const auto& node : spec.numa) {
        const auto id = node.id.empty() ? std::to_string(number) : node.id;
        Props props{{"", "node"}, {"nodeid", id}};
        props.set_text("mem", node.memdev.empty() ? node.memory : "").set_text("memdev", node.memdev);
        Value::List cpus;
        for (const auto& range : split(node.cpus, ',')) {
            if (const auto word = trim(range); !word.empty()) {
                cpus.emplace_back(word);
            }
        }
        if (!cpus.empty()) {
            props.set("cpus", std::move(cpus));
        }
        props.set_text("initiator", node.initiator);
        const auto made_node = option("numa", std::move(props));
        if (!node.memdev.empty()) {
            made_node->needs = {node.memdev};
        }
        ++number;
    }
    for (const auto& cpu : spec.numa_cpus) {
        add_numa_option("cpu", cpu);
    }
    number = 0;
    for (const auto& node : spec.numa) {
        const auto id = node.id.empty() ? std::to_string(number) : node.id;
        for (const auto& [other, distance] : node.distances) {
            option("numa", {{"", "dist"}, {"src", id}, {"dst", other}, {"val", distance}});
        }
        ++number;
    }
    // Caches come after what they cache.
    for (const auto& node : spec.numa) {
        for (const auto& latency : node.latencies) {
            add_numa_option("hmat-lb", latency);
        }
    }
    for (const auto& node : spec.numa) {
        for (const auto& cache : node.caches) {
            add_numa_option("hmat-cache", cache);
        }
    }
}

void Builder::add_numa_option(const std::string& kind,
                              const std::vector<std::pair<std::string, std::string>>& values) {
    Props props{{"", kind}};
    for (const auto& [name, value] : values) {
        props.set_text(name, value);
    }
    option("numa", std::move(props));
}

/// The machine's memory as an object of ours, where the parameters or a companion that looks into it ask for
/// that. Returns its id, or nothing.
std::string Builder::add_main_memory() {
    const bool watched =
        !spec.shared_filesystems.empty() ||
        std::any_of(spec.drives.begin(), spec.drives.end(),
                    [](const Drive& drive) { return drive.bus == DriveBus::vhost_user_blk; }) ||
        std::any_of(spec.nics.begin(), spec.nics.end(),
                    [](const Nic& nic) { return nic.backend == Nic::Backend::vhost_user; });
    if ((spec.memory.backend.empty() && spec.memory.properties.empty() && !watched) || !spec.numa.empty()) {
        return {};
    }
    Node memory;
    memory.form = Form::object;
    memory.qid = "mem-machine_mem";
    const bool memfd = !caps.known() || caps.has_object("memory-backend-memfd");
    memory.driver = !spec.memory.backend.empty() ? spec.memory.backend
                    : watched && memfd           ? "memory-backend-memfd"
                                                 : "memory-backend-ram";
    memory.props.set("size", fmt::format("{}M", spec.mem_mib));
    if (watched) {
        memory.props.set("share", true);
    }
    for (const auto& [name, value] : spec.memory.properties) {
        memory.props.set(name, value == "yes" ? "on" : value == "no" ? "off" : value);
    }
    return add(std::move(memory))->qid;
}

}  // namespace vt::qemu
