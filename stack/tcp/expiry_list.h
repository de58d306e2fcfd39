// A list of records that all live equally long, so that the order of insertion is the order of expiry: one
// timer for all of them (SYN-ACK retransmission, TIME-WAIT).
#pragma once

#include "stack/base/age_list.h"
#include "stack/base/time.h"

namespace transom::tcp {

// T has the members `AgeLinks<T> links` and `Instant deadline`.
template <typename T>
class ExpiryList {
 public:
  std::size_t size() const { return records_.size(); }
  bool empty() const { return first() == nullptr; }
  T* first() const { return records_.oldest(); }
  Instant next_deadline() const { return empty() ? kNever : first()->deadline; }

  // `deadline` is not before that of any record in the list.
  void push(T& record, Instant deadline) {
    record.deadline = deadline;
    records_.push(record);
  }
  void remove(T& record) { records_.remove(record); }

 private:
  AgeList<T> records_;
};

}  // namespace transom::tcp
