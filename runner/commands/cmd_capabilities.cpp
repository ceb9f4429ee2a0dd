// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/commands.hpp"

namespace vt {

const nrunner::RunnerDescription& runner_description() {
    // A small runnable carries its selection, so only what the running itself needs is asked for; the data
    // directory is for fat ones. Every name costs Avocado time at every runnable.
    static const nrunner::RunnerDescription description{
        {"vt", "avocado-vt", "vt-plan", "vt-driver", "vt-iotest", "vt-packet"},
        {"datadir.paths.data_dir", "job.output.loglevel", "run.max_parallel_tasks", "vt.common.allow_outside",
         "vt.common.data_dir", "vt.common.tmp_dir", "vt.common.log_limit", "vt.debug.no_cleanup",
         "vt.omit_data_loss"}};
    return description;
}

}  // namespace vt
