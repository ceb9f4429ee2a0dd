// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A seam for tests: faults that cannot be had to order (no descriptors, a full disk, a failing fork) at
/// named points of the code.
///
/// Compiled into what users run, too, so that what is tested is what runs: there it is a null pointer that is
/// looked at. Only tests set it.
#pragma once

#include <functional>
#include <string_view>

namespace vt::fault {

/// Where a fault can be injected.
enum class Point {
    journal,     ///< before a line is written to the resource journal
    spawn,       ///< before a child is forked
    spawned,     ///< after it was forked, before its pidfd is there
    descriptor,  ///< before a descriptor is made (pipe, event, duplicate, socket)
};

/// Returns the errno that \p point is to fail with, or 0; \p what names the thing (a path, a program).
using Injector = std::function<int(Point point, std::string_view what)>;

/// The errno with which the calling code is to fail now; 0 in production.
int at(Point point, std::string_view what);

/// Sets the injector for as long as it lives; one at a time. For tests.
class Injected {
  public:
    explicit Injected(Injector injector);
    ~Injected();
    Injected(const Injected&) = delete;
    Injected& operator=(const Injected&) = delete;

  private:
    Injector injector_;
};

}  // namespace vt::fault
