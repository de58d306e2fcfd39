// A double-ended queue in one block of memory, indexed from the front. It owns no memory before its first
// element and gives back what was more than the smallest block when it empties: the queues of an idle
// connection cost nothing or little, and those of a busy one do not allocate each time. Capacity doubles as
// needed; elements must be default-constructible and movable.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <utility>

namespace transom {

template <typename T>
class Ring {
 public:
  Ring() = default;
  Ring(Ring&& other) noexcept { swap(other); }
  Ring& operator=(Ring&& other) noexcept {
    swap(other);
    return *this;
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  T& operator[](std::size_t index) { return slots_[position(index)]; }
  const T& operator[](std::size_t index) const { return slots_[position(index)]; }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1U]; }
  const T& back() const { return (*this)[size_ - 1U]; }

  void push_back(T value) {
    grow_if_full();
    ++size_;
    back() = std::move(value);
  }
  void push_front(T value) {
    grow_if_full();
    first_ = (first_ - 1U) & (capacity_ - 1U);
    ++size_;
    front() = std::move(value);
  }
  void pop_front() {
    front() = T();
    first_ = (first_ + 1U) & (capacity_ - 1U);
    shrink_to(size_ - 1U);
  }
  void pop_back() {
    back() = T();
    shrink_to(size_ - 1U);
  }
  // Puts `value` before the element at `index`; moves the elements behind it.
  void insert(std::size_t index, T value) {
    push_back(T());
    for (std::size_t i = size_ - 1U; i > index; --i) (*this)[i] = std::move((*this)[i - 1]);
    (*this)[index] = std::move(value);
  }
  void erase(std::size_t index) {
    for (std::size_t i = index; i + 1 < size_; ++i) (*this)[i] = std::move((*this)[i + 1]);
    pop_back();
  }
  void clear() {
    slots_.reset();
    capacity_ = first_ = size_ = 0;
  }

 private:
  static constexpr std::uint32_t kFirstCapacity = 4;

  void swap(Ring& other) noexcept {
    std::swap(slots_, other.slots_);
    std::swap(capacity_, other.capacity_);
    std::swap(first_, other.first_);
    std::swap(size_, other.size_);
  }

  std::size_t position(std::size_t index) const {
    assert(index < size_);
    return (first_ + index) & (capacity_ - 1U);
  }
  void shrink_to(std::uint32_t size) {
    size_ = size;
    if (size_ == 0 && capacity_ > kFirstCapacity) clear();
  }
  void grow_if_full() {
    if (size_ < capacity_) return;
    const std::uint32_t larger = capacity_ == 0 ? kFirstCapacity : capacity_ * 2;
    auto slots = std::make_unique<T[]>(larger);
    for (std::uint32_t i = 0; i < size_; ++i) slots[i] = std::move((*this)[i]);
    slots_ = std::move(slots);
    capacity_ = larger;
    first_ = 0;
  }

  std::unique_ptr<T[]> slots_;
  std::uint32_t capacity_ = 0;
  std::uint32_t first_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace transom
