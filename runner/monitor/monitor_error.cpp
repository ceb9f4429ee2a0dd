// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/monitor/monitor_error.hpp"

#include "runner/monitor/redact.hpp"
#include "runner/session/shell_error.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vt {
namespace {

/// \p value as Python's repr() of the decoded JSON prints it: tests match texts like "{'class':
/// 'GenericError', …}".
std::string repr_of(const nlohmann::json& value, int depth = 0) {
    if (depth > 64) {
        return "...";
    }
    std::string out;
    switch (value.type()) {
        case nlohmann::json::value_t::null:
            return "None";
        case nlohmann::json::value_t::boolean:
            return value.get<bool>() ? "True" : "False";
        case nlohmann::json::value_t::string:
            return python_repr(value.get_ref<const std::string&>());
        case nlohmann::json::value_t::array:
            for (const auto& item : value) {
                out += (out.empty() ? "" : ", ") + repr_of(item, depth + 1);
            }
            return "[" + out + "]";
        case nlohmann::json::value_t::object:
            for (const auto& [key, item] : value.items()) {
                out += (out.empty() ? "" : ", ") + python_repr(key) + ": " + repr_of(item, depth + 1);
            }
            return "{" + out + "}";
        default:
            return value.dump();
    }
}

/// \p args without secrets.
std::string shown_arguments(const std::string& cmd, const nlohmann::json& args) {
    return repr_of(redact({{"execute", cmd}, {"arguments", args}})["arguments"]);
}

std::string member(const nlohmann::json& object, const char* key) {
    if (object.is_object()) {
        const auto found = object.find(key);
        if (found != object.end() && found->is_string()) {
            return found->get<std::string>();
        }
    }
    return {};
}

}  // namespace

MonitorConnectError::MonitorConnectError(const std::string& monitor_name, const std::string& details)
    : MonitorError(fmt::format("Could not connect to monitor '{}'{}", monitor_name,
                               details.empty() ? "" : "    (" + details + ")")) {}

MonitorSocketError::MonitorSocketError(const std::string& msg, const std::string& cause)
    : MonitorError(fmt::format("{}    ({})", msg, cause)) {}

MonitorNotSupportedCmdError::MonitorNotSupportedCmdError(const std::string& monitor, const std::string& cmd)
    : MonitorNotSupportedError(fmt::format("Not supported cmd '{}' in monitor '{}'", cmd, monitor)) {}

HumanCmdError::HumanCmdError(std::string cmd, std::string out)
    : MonitorCmdError(fmt::format("Human monitor command {} failed    error message: {})", python_repr(cmd),
                                  python_repr(out))),
      cmd_(std::move(cmd)),
      out_(std::move(out)) {}

QMPCmdError::QMPCmdError(std::string cmd, const nlohmann::json& args, const nlohmann::json& data)
    : MonitorCmdError(fmt::format("QMP command {} failed    (arguments: {},    error message: {})",
                                  python_repr(cmd), shown_arguments(cmd, args), repr_of(data))),
      cmd_(std::move(cmd)),
      args_(std::make_shared<const nlohmann::json>(args)),
      data_(std::make_shared<const nlohmann::json>(data)),
      class_(member(data, "class")),
      desc_(member(data, "desc")) {}

QMPEventError::QMPEventError(const std::string& cmd, const std::string& event, const std::string& vm_name,
                             const std::string& monitor_name)
    : MonitorError(fmt::format("QMP event {} not received after {} (monitor '{}.{}')", event, cmd, vm_name,
                               monitor_name)) {}

}  // namespace vt
