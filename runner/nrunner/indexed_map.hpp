// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The members of a JSON object in the order of the text, found in constant time.
///
/// A fat runnable has its parameters as members of one object: their order has a meaning, and there may be
/// hundreds of thousands. nlohmann::ordered_map keeps the order, but compares with every member at each
/// insertion, which makes reading an object quadratic. This is a vector with an index beside it, which only
/// large objects get.
///
/// What is ugly: the interface is what nlohmann::basic_json asks of its ObjectType, hence the unused
/// comparison and allocator, and a key is kept twice.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vt::nrunner {

template <class Key, class T, class Ignored = std::less<Key>,
          class Allocator = std::allocator<std::pair<const Key, T>>>
class IndexedMap : public std::vector<std::pair<const Key, T>, Allocator> {
  public:
    using key_type = Key;
    using mapped_type = T;
    using Container = std::vector<std::pair<const Key, T>, Allocator>;
    using typename Container::const_iterator;
    using typename Container::iterator;
    using typename Container::size_type;
    using typename Container::value_type;
    using key_compare = std::equal_to<>;

    IndexedMap() = default;
    explicit IndexedMap(const Allocator& allocator) : Container(allocator) {}
    template <class It>
    IndexedMap(It first, It last, const Allocator& allocator = Allocator()) : Container(allocator) {
        insert(first, last);
    }
    IndexedMap(std::initializer_list<value_type> values, const Allocator& allocator = Allocator())
        : IndexedMap(values.begin(), values.end(), allocator) {}

    std::pair<iterator, bool> emplace(const key_type& key, T&& value) {
        if (const auto found = find(key); found != this->end()) {
            return {found, false};
        }
        Container::emplace_back(key, std::forward<T>(value));
        note_last();
        return {std::prev(this->end()), true};
    }
    T& operator[](const key_type& key) { return emplace(key, T{}).first->second; }
    const T& operator[](const key_type& key) const { return at(key); }

    T& at(const key_type& key) {
        if (const auto found = find(key); found != this->end()) {
            return found->second;
        }
        throw std::out_of_range("key not found");
    }
    const T& at(const key_type& key) const { return const_cast<IndexedMap*>(this)->at(key); }

    size_type count(const key_type& key) const { return find(key) == this->end() ? 0 : 1; }
    iterator find(const key_type& key) { return this->begin() + static_cast<std::ptrdiff_t>(place_of(key)); }
    const_iterator find(const key_type& key) const {
        return this->begin() + static_cast<std::ptrdiff_t>(place_of(key));
    }

    size_type erase(const key_type& key) {
        const auto found = find(key);
        if (found == this->end()) {
            return 0;
        }
        erase(found);
        return 1;
    }
    iterator erase(iterator position) { return erase(position, std::next(position)); }
    /// Keys are constant, so all that follows is made anew.
    iterator erase(iterator first, iterator last) {
        const auto place = first - this->begin();
        Container rest;
        for (auto item = this->begin(); item != this->end(); ++item) {
            if (item < first || item >= last) {
                rest.emplace_back(item->first, std::move(item->second));
            }
        }
        static_cast<Container&>(*this) = std::move(rest);
        index_.clear();
        note_last();
        return this->begin() + place;
    }

    std::pair<iterator, bool> insert(const value_type& value) {
        return emplace(value.first, T(value.second));
    }
    template <class It>
    void insert(It first, It last) {
        for (; first != last; ++first) {
            insert(*first);
        }
    }
    void clear() {
        Container::clear();
        index_.clear();
    }

  private:
    static constexpr size_type small = 16;  ///< so many are compared faster than hashed

    /// The place of \p key, or the size.
    size_type place_of(const key_type& key) const {
        if (this->size() > small) {
            const auto found = index_.find(key);
            return found == index_.end() ? this->size() : found->second;
        }
        return static_cast<size_type>(
            std::find_if(this->begin(), this->end(),
                         [&](const value_type& item) { return item.first == key; }) -
            this->begin());
    }
    void note_last() {
        if (this->size() > small) {
            for (auto place = index_.size(); place < this->size(); ++place) {
                index_.emplace(Container::operator[](place).first, place);
            }
        }
    }

    std::unordered_map<Key, size_type> index_;  ///< empty or complete
};

}  // namespace vt::nrunner
