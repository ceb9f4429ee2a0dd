// SPDX-License-Identifier: GPL-2.0-or-later
/// \file test_file.hpp
/// From a test's parameters to the file that holds its code.
///
/// A word of the parameter `type` names a file TYPE.py or TYPE.so. It is looked for where upstream looks: in
/// `other_tests_dirs`, then in the folders of the parameter `provider`, or of all providers (the generic
/// folders and that of `vm_type`) if that is not set; recursively, but not in hidden folders, `cfg` and
/// `__pycache__`. Upstream takes the first hit in directory order; here folders and files are taken in the
/// order of their names, the built-in provider comes last, and a `.so` is preferred to a `.py` beside it.
#pragma once

#include "cfg/params.hpp"
#include "providers/provider.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vt::providers {

/// The code of one word of `type`.
struct TestFile {
    enum class Kind { python, native };

    std::string type;            ///< the word
    std::filesystem::path path;  ///< TYPE.py or TYPE.so
    Kind kind = Kind::python;
    std::string provider;  ///< the provider's name; empty for `other_tests_dirs`
    std::vector<std::filesystem::path>
        sys_path;  ///< what Python's sys.path needs, in front, so that tests find their libraries

    bool operator==(const TestFile&) const = default;
};

/// There is no such test; what() names the places and the nearest names.
class TestNotFoundError : public Error {
  public:
    using Error::Error;
};

/// The file for the test \p type with these parameters. Throws TestNotFoundError.
TestFile find_test(const std::string& type, const Params& params, const std::vector<Provider>& providers);

/// The files for all words of the parameter `type`, in their order. Throws TestNotFoundError, MissingParam.
std::vector<TestFile> find_tests(const Params& params, const std::vector<Provider>& providers);

/// As above, with the providers of \p data_dir and of this installation.
std::vector<TestFile> find_tests(const Params& params, const std::filesystem::path& data_dir,
                                 const std::filesystem::path& builtin_root);

}  // namespace vt::providers
