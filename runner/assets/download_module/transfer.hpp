// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What libvtdownload.so offers: one function, under the symbol vt_transfer, which moves the bytes of one URL
/// into a file.
///
/// It knows protocols and nothing of what is wanted: download.cpp decides about resuming, checksums and
/// trying again. The module keeps no state and calls nothing of the core.
#pragma once

#include "runner/support/deadline.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace vt::bootstrap::module {

/// What the server said before the first byte.
struct TransferBegin {
    bool whole = true;        ///< the file begins anew: it did not take the range, or none was asked for
    std::string validator;    ///< what If-Range takes: a strong ETag, else Last-Modified; empty: neither
    std::uint64_t total = 0;  ///< bytes of the whole file; 0: not known
};

/// One attempt.
struct TransferRequest {
    std::string url;            ///< http, https, ftp or file
    int file = -1;              ///< open for writing; is written to from `from` on, or emptied first
    std::uint64_t from = 0;     ///< bytes of the file that are there already
    std::string validator;      ///< of those bytes; empty: not known
    bool only_secure = false;   ///< a redirection may only lead to https
    std::uint64_t limit = 0;    ///< more bytes than this are an error; 0: no limit
    Seconds connect_limit{30};  ///< until the connection stands
    Seconds stall_limit{60};    ///< without a byte
    /// Called once, before the first byte is written. May throw: the transfer ends, and the exception goes
    /// on.
    std::function<void(const TransferBegin&)> begin;
    /// Called as bytes come, with the number of bytes that the file has.
    std::function<void(std::uint64_t done)> progress;
};

/// How it ended.
struct TransferResult {
    bool complete = false;
    bool again = false;  ///< another attempt may get further: the connection broke
    long status = 0;     ///< HTTP's; 0: none
    std::string error;   ///< one sentence, if not complete
};

using TransferFunction = TransferResult(const TransferRequest&);

}  // namespace vt::bootstrap::module
