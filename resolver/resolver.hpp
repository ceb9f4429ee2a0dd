// SPDX-License-Identifier: GPL-2.0-or-later
/// \file resolver.hpp
/// From references to tests, and from a test's name to its parameters.
///
/// Resolving only makes names; parameters are made once, where the test runs (`expand()`). All references of
/// a command are resolved together, so that the test set is read once.
#pragma once

#include "cfg/params.hpp"
#include "resolver/list_bounds.hpp"
#include "resolver/selection.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vt::cfg {
struct Dictionary;
}

namespace vt::resolver {

/// A test that was found.
struct FoundTest {
    std::string name;              ///< as users see it: the variants that came from subtests.cfg
    std::string full_name;         ///< the dictionary's `name`
    std::vector<std::string> dep;  ///< names it depends on

    bool operator==(const FoundTest&) const = default;
};

/// What one reference gave.
struct Resolution {
    std::string reference;  ///< empty: all tests
    std::vector<FoundTest> tests;
    std::string info;  ///< if there are none: why, and the nearest names

    bool operator==(const Resolution&) const = default;
};

/// Resolves all references over one selection, in order. A reference that is no filter gives a Resolution
/// with `info`. Throws SelectionError, cfg::ParserError and its kin where nothing can be resolved at all,
/// ListLimitError where there are more tests than the bounds allow.
/// \param cache_dir of the compiled configs; nothing: no cache
std::vector<Resolution> resolve(const std::vector<std::string>& references, const Selection& selection,
                                const std::optional<std::filesystem::path>& cache_dir,
                                const ListBounds& bounds = {});

/// How a list calls a dictionary of a test set of which no more is known: the labels that came from its
/// tests.
std::string listed_name(const cfg::Dictionary& dictionary);

/// No test of that name comes out of the selection any more; what() names the nearest.
class UnknownTestError : public Error {
  public:
    using Error::Error;
};

/// The parameters of one test. \param full_name as in FoundTest, or empty: the first test called \p name.
/// Throws UnknownTestError and what `resolve()` throws.
Params expand(const Selection& selection, const std::string& name, const std::string& full_name,
              const std::optional<std::filesystem::path>& cache_dir);

/// Guests of a test set, for `guests` and `archs`.
struct Guest {
    std::string name;             ///< `Guest.Linux.JeOS.27.x86_64`, without the default machine type
    std::filesystem::path image;  ///< image1's file
    bool image_exists = false;
};

/// The guests that machines.cfg and guest-os.cfg give for arch, machine type and \p guest_os (empty: all).
/// Throws SelectionError if the type is not bootstrapped.
std::vector<Guest> guests(const Selection& selection, const std::string& guest_os,
                          const std::optional<std::filesystem::path>& cache_dir);

/// The same for all architectures and machine types.
std::vector<Guest> arch_profiles(const Selection& selection, const std::string& guest_os,
                                 const std::optional<std::filesystem::path>& cache_dir);

/// Where compiled configs are kept; nothing (and a line in the log) if no such directory can be made.
std::optional<std::filesystem::path> config_cache_dir();

}  // namespace vt::resolver
