// SPDX-License-Identifier: GPL-2.0-or-later
/// \file record.hpp
/// A dictionary in the making: the statements of a walk are run into it one after the other.
///
/// Keys are numbers and values are views, of the image or of an arena that is emptied for each dictionary; a
/// plain assignment writes sixteen bytes. What is ugly is `suffix`: it stores every key away under a name
/// that is known only at the end, so keys with suffixes are found by looking at all of them. Few
/// configurations have any.
#pragma once

#include "cfg/image.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::cfg {

struct Dictionary;
class RegexCache;

/// Memory for the texts of one dictionary.
class Arena {
  public:
    char* allocate(std::size_t size);
    void clear();
    std::size_t used() const noexcept { return used_; }

  private:
    static constexpr std::size_t chunk_size = 64U << 10;

    std::vector<std::unique_ptr<char[]>> chunks_;
    std::vector<std::unique_ptr<char[]>> large_;
    std::size_t chunk_ = 0;   ///< the one in use
    std::size_t filled_ = 0;  ///< bytes of it
    std::size_t used_ = 0;
};

/// A value and whether JSON can take it as it stands.
struct Value {
    std::string_view text;
    bool plain = false;
};

/// One dictionary being made. The image must outlive it.
class Record {
  public:
    explicit Record(const Image& image);
    ~Record();
    Record(Record&&) noexcept;
    Record& operator=(Record&&) noexcept;

    /// Empties it.
    void begin(std::string_view name, std::string_view shortname, std::vector<std::string> dep);

    /// Runs statements in order. \param holds by condition, whether it holds
    void run(Range statements, const std::vector<std::uint8_t>& holds);

    /// The value of an ordinary key as it is now, if it is set and not stored away.
    std::optional<std::string_view> value(std::uint32_t key) {
        const Slot* slot = find(key);
        return slot != nullptr ? std::optional(slot->value.text) : std::nullopt;
    }

    /// An ordinary key that is set. `suffixes`: those it is stored away under, the latest first, each with a
    /// newline behind it; no two keys of one name have the same.
    struct State {
        std::uint32_t key = 0;
        std::string suffixes;
        std::string_view value;
    };

    /// All of them; the values live until the next statement runs. This and what follows is for explaining:
    /// it is not fast.
    std::vector<State> states() const;

    /// Whether any key is stored away.
    bool has_stored() const noexcept { return stored_ > 0; }

    /// What `${key}` would give now; nothing if it would stay as it is written.
    std::optional<std::string_view> reference(std::uint32_t key);

    /// A key of the finished dictionary, and whose value it has.
    struct Origin {
        std::string_view text;
        std::uint32_t key = 0;
        std::string suffixes;
    };

    /// All of them as the dictionary would be if it were finished now.
    std::vector<Origin> origins();

    /// `_max`, `_min` and `_fixed`, after all statements.
    void apply_limits();

    /// Takes over all of `other`: its values win, its `dep` and maps replace those here.
    void merge(const Record& other);
    void rename(std::string_view name, std::string_view shortname);

    /// The finished dictionary; its views live until begin().
    void finish(Dictionary& result);

  private:
    struct Slot {
        Value value;
        std::uint32_t key = 0;
        std::uint32_t suffixes = none;  ///< the chain of suffixes that it is stored away under
        bool alive = true;
    };

    /// A suffix and those before it.
    struct Suffix {
        std::string_view text;
        std::uint32_t before = none;
    };

    struct MapEntry {
        std::uint32_t file = 0;
        std::string_view name;
        std::string_view shortname;
    };

    struct FlatKey {
        std::string_view text;
        std::uint32_t key = none;
        Value value;
        std::size_t slot = 0;  ///< the one whose value it is
    };
    struct Flat;

    Slot* find(std::uint32_t key);
    void put(std::uint32_t key, const Value& value);
    void put(std::uint32_t key, std::string_view text, bool plain);
    void remove(Slot& slot);

    void run_one(const Stmt& statement);
    void run_regex(const Stmt& statement);
    void change(Slot& slot, Op op, const Value& value);
    void run_suffix(std::string_view suffix);
    void add_map(const Stmt& exact, const Stmt& bare);

    Value value_of(const Stmt& statement);
    Value substitute(Range pieces, const Stmt& statement);
    std::optional<std::string_view> lookup(std::uint32_t key, std::optional<Flat>& flat);
    Value concatenate(const Value& first, const Value& second);
    std::string_view store(std::string_view text);
    char* reserve(std::size_t size);
    std::string_view spelled(const Slot& slot);
    std::string map_text(bool bare) const;
    std::string chain_of(const Slot& slot) const;

    void flatten(Flat& flat);
    std::vector<std::uint8_t> agreeing_keys();
    std::vector<std::pair<std::string_view, std::string_view>> file_map(bool bare);
    [[noreturn]] void refuse_limit(std::uint32_t key, const std::string& message) const;

    const Image* image_;
    std::vector<Slot> slots_;
    std::vector<std::uint64_t> index_;  ///< by key: epoch and slot
    std::uint32_t epoch_ = 0;
    std::vector<Suffix> suffixes_;
    std::size_t stored_ = 0;              ///< slots with suffixes
    std::vector<std::uint8_t> is_limit_;  ///< by key: a compact copy of what put() must know
    std::vector<std::uint32_t> limits_;
    std::vector<MapEntry> maps_;
    std::string name_;
    std::string shortname_;
    std::vector<std::string> dep_;
    Arena arena_;
    std::unique_ptr<RegexCache> regexes_;
};

}  // namespace vt::cfg
