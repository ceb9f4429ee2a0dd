// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/delivery_record.hpp"

#include "runner/support/error.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include <sys/mman.h>

namespace vt::nrunner {

DeliveryRecords::DeliveryRecords(std::size_t count)
    : bytes_(std::max<std::size_t>(count, 1) * sizeof(DeliveryRecord)) {
    void* memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        throw SystemError("cannot make memory that outlives this process", errno);
    }
    records_ = static_cast<DeliveryRecord*>(memory);
    for (std::size_t i = 0; i < std::max<std::size_t>(count, 1); ++i) {
        new (records_ + i) DeliveryRecord;
    }
}

DeliveryRecords::~DeliveryRecords() {
    if (records_ != nullptr) {
        ::munmap(records_, bytes_);
    }
}

DeliveryRecords::DeliveryRecords(DeliveryRecords&& other) noexcept
    : bytes_(other.bytes_), records_(std::exchange(other.records_, nullptr)) {}

}  // namespace vt::nrunner
