// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The tests of a job that were started on this host, and how they ended.
///
/// For `dep`: a test waits for those it depends on that Avocado started before it. Each test has a place on a
/// roll in the job's directory as long as its process lives, so one that was killed has ended like any other.
/// A test that was started a moment ago has no place yet; it is known by its process, which is a child of
/// Avocado's as this one is. Waiting goes by the order in which the processes were started, so it never goes
/// in a circle.
#pragma once

#include "runner/sharing/roll.hpp"
#include "runner/support/journal.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vt {

/// One test, as others of its job know it.
struct JobTest {
    std::string name;       ///< as users see it
    std::string full_name;  ///< the dictionary's
    std::string id;         ///< Avocado's
    ProcessId process;      ///< that Avocado started
};

/// The calling test's place among the tests of its job.
class JobTests {
  public:
    /// \param job_dir the job's directory \param self the calling test
    /// \param owner Avocado, whose children are the job's tests
    JobTests(const std::filesystem::path& job_dir, JobTest self, const ProcessId& owner);

    /// Waits for the end of every test that was started before this one and that an entry of \p deps names,
    /// logging for whom. Warns of an entry that names no test that was started, and of tests that did not
    /// pass: this one runs all the same.
    void wait_for(const std::vector<std::string>& deps) const;

    /// This test has ended; \p status as Avocado calls it, in letters of any size.
    void ended(std::string status);

    /// Whether \p dep, an entry of the parameter `dep`, names \p test.
    static bool names(const std::string& dep, const JobTest& test);

  private:
    /// A test of the roll, or one that has no place there yet.
    struct Other {
        JobTest test;
        RollMember member;
        std::string status;  ///< empty: it runs, or ended without a word
    };
    bool before(const JobTest& other) const;
    std::vector<Other> others() const;
    std::vector<Other> starting(const std::vector<Other>& known) const;
    static std::optional<Other> read(const RollMember& member);

    std::filesystem::path dir_;
    Roll roll_;
    JobTest self_;
    ProcessId owner_;
    std::optional<RollEntry> entry_;
};

}  // namespace vt
