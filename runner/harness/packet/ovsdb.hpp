// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A client of Open vSwitch's database: transactions (RFC 7047, 4.1.3 and 5.2), and waiting until the switch
/// has done what they say.
#pragma once

#include "runner/io/interrupt.hpp"
#include "runner/io/json_rpc.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt::packet {

/// The database refused an operation; what() has the operation's table and the database's words.
class OvsdbError : public Error {
  public:
    using Error::Error;
};

/// A connection to one database server. Thread-safe.
class Ovsdb {
  public:
    /// Connects to the socket \p path. \p interrupt ends every wait (may be null).
    Ovsdb(IoLoop& loop, const std::filesystem::path& path, const Deadline& deadline,
          std::shared_ptr<Interrupt> interrupt);

    /// Does \p operations (an array) in one transaction; returns their results. Throws OvsdbError,
    /// TimeoutError.
    nlohmann::json transact(const nlohmann::json& operations, const Deadline& deadline);
    /// The same, and waits until the switch has taken the new configuration up. Throws TimeoutError if it
    /// does not.
    nlohmann::json configure(const nlohmann::json& operations, const Deadline& deadline);

  private:
    std::shared_ptr<Interrupt> interrupt_;
    JsonRpc rpc_;
    std::mutex configuring_;  ///< the number of the configuration is one counter
};

/// The database's notation: a map and a set.
nlohmann::json ovsdb_map(const std::map<std::string, std::string>& entries);
nlohmann::json ovsdb_set(const std::vector<nlohmann::json>& members);
/// The condition that a row is called \p name.
nlohmann::json ovsdb_named(const std::string& name);

}  // namespace vt::packet
