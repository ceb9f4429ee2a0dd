// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Which images a test works on, how, and the locks on them.
///
/// A lone task works on an image in place, so it has the image's lock for itself. Tests that run at once
/// share an image where that changes nothing: each writes to a throw-away overlay, if the image would be
/// restored after it anyway, and it neither creates, removes, keeps nor chains it. All locks of a test are
/// taken before anything is done, in the order of their paths, so that two tests with the same images never
/// wait for each other.
#pragma once

#include "runner/env/env.hpp"
#include "runner/env/test_context.hpp"
#include "runner/storage/image.hpp"

#include <memory>
#include <string>
#include <vector>

namespace vt {

/// One image of one VM, and the lock on it while the test lasts.
struct ImageWork {
    std::string vm;  ///< empty where the test has no VMs
    Image image;
    std::shared_ptr<ImageLock> lock;  ///< none: a machine that an earlier test left still runs with it
    bool overlaid = false;            ///< writes go to a throw-away overlay, the image itself stays as it is
};

/// The images of the test's VMs (or of the test itself, where `vms` is empty), each once, in the order of the
/// parameters; nothing where the parameters say that images are left alone. Nothing is locked yet.
std::vector<ImageWork> plan_images(const TestContext& test, Env& env);

/// Takes the locks, waiting as long as it takes and logging for whom.
void lock_images(std::vector<ImageWork>& works, Env& env, const std::string& holder);

}  // namespace vt
