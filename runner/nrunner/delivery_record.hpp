// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How far each status server has been told, in memory that outlives who tells it.
///
/// A supervisor that is killed cannot say any more what it has said, but Avocado must get `finished` exactly
/// once, and nothing behind it. So it keeps book in memory that the sweeper shares (sweeper_watch.hpp).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace vt::nrunner {

/// What one server has been told. Written by the sender alone, read when that is dead.
struct DeliveryRecord {
    std::atomic<std::uint32_t> lines{0};       ///< sent whole, over all connections
    std::atomic<std::uint32_t> last{0};        ///< the number of the line that is the last, once there is one
    std::atomic<std::uint32_t> connection{0};  ///< which connection is in use
    std::atomic<bool> sending{false};          ///< a line is being sent, or has been sent in part
    std::atomic<bool> partial{false};          ///< it is known that a part is missing
};

/// The records of all servers of a task, shared with every process forked later.
class DeliveryRecords {
  public:
    /// Throws SystemError.
    explicit DeliveryRecords(std::size_t count);
    ~DeliveryRecords();
    DeliveryRecords(DeliveryRecords&& other) noexcept;
    DeliveryRecords& operator=(DeliveryRecords&&) = delete;
    DeliveryRecords(const DeliveryRecords&) = delete;
    DeliveryRecords& operator=(const DeliveryRecords&) = delete;

    DeliveryRecord* at(std::size_t number) { return records_ + number; }

  private:
    std::size_t bytes_;
    DeliveryRecord* records_ = nullptr;
};

}  // namespace vt::nrunner
