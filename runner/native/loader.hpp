// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Finds the entry of a test that is a shared object, and makes it callable by the lifecycle.
///
/// The object stays loaded until the process ends: a test may leave objects behind whose code it holds. A
/// wrong object is refused before any of its test code runs; what cannot be prevented is its constructors,
/// which run at load.
#pragma once

#include <filesystem>
#include <functional>

namespace vt {
class Env;
struct TestContext;
}  // namespace vt

namespace vt::native {

/// A test as the lifecycle runs it.
using TestFunction = std::function<void(TestContext&, Env&)>;

/// The test of \p shared_object. Throws vt::Error that says what is wrong with it: missing, not loadable
/// (with the dynamic linker's words), no entry, another version of the API.
TestFunction load_test(const std::filesystem::path& shared_object);

}  // namespace vt::native
