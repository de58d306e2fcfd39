// A list of records that all live equally long, so that the order of insertion is the order of expiry: one
// timer for all of them, and two pointers in each (SYN-ACK retransmission, TIME-WAIT).
#pragma once

#include <cstddef>

#include "stack/base/time.h"

namespace transom::tcp {

template <typename T>
struct ExpiryLinks {
  T* earlier = nullptr;
  T* later = nullptr;
  Instant deadline{};
};

// T has a member `ExpiryLinks<T> links`.
template <typename T>
class ExpiryList {
 public:
  bool empty() const { return first_ == nullptr; }
  std::size_t size() const { return size_; }
  T* first() const { return first_; }
  Instant next_deadline() const { return first_ == nullptr ? kNever : first_->links.deadline; }

  // `deadline` is not before that of any record in the list.
  void push(T& record, Instant deadline) {
    record.links = {last_, nullptr, deadline};
    (last_ == nullptr ? first_ : last_->links.later) = &record;
    last_ = &record;
    ++size_;
  }
  void remove(T& record) {
    (record.links.earlier == nullptr ? first_ : record.links.earlier->links.later) = record.links.later;
    (record.links.later == nullptr ? last_ : record.links.later->links.earlier) = record.links.earlier;
    record.links = {};
    --size_;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace transom::tcp
