// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/kernel_setting.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace vt::kernel_setting {

namespace {
constexpr std::size_t longest = 64 << 10;
}

std::string read(const std::filesystem::path& file) {
    const std::string text(trim(read_file(file, longest)));
    const auto open = text.find('[');
    const auto close = text.find(']', open);
    if (open != std::string::npos && close != std::string::npos && text.find('\n') == std::string::npos) {
        return text.substr(open + 1, close - open - 1);
    }
    return text;
}

void write(const std::filesystem::path& file, std::string_view value) {
    const auto what = "cannot write \"" + std::string(value) + "\" to " + file.native();
    const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    if (!fd) {
        throw SystemError(what, errno);
    }
    // At once: the kernel takes each write for a value.
    if (::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
        throw SystemError(what, errno);
    }
}

}  // namespace vt::kernel_setting
