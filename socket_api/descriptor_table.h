// The small numbers by which C knows the sockets and epolls of a stack. The lowest free one is given out, as
// POSIX wants. To be used under the lock of the stack.
#pragma once

#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "socket_api/outcome.h"
#include "socket_api/watcher.h"

namespace transom::sockets {

class DescriptorTable {
 public:
  Outcome<int> add(std::shared_ptr<Pollable> pollable) {
    if (free_.empty()) {
      if (entries_.size() == kMaxDescriptors) return fail(EMFILE);
      entries_.push_back(std::move(pollable));
      return static_cast<int>(entries_.size() - 1);
    }
    const int number = free_.top();
    free_.pop();
    entries_[static_cast<std::size_t>(number)] = std::move(pollable);
    return number;
  }
  // nullptr for a number that is not in use.
  std::shared_ptr<Pollable> find(int number) const {
    return number >= 0 && static_cast<std::size_t>(number) < entries_.size()
               ? entries_[static_cast<std::size_t>(number)]
               : nullptr;
  }
  // It is no longer known; nullptr as for find().
  std::shared_ptr<Pollable> remove(int number) {
    if (!find(number)) return nullptr;
    free_.push(number);
    return std::move(entries_[static_cast<std::size_t>(number)]);
  }
  int end() const { return static_cast<int>(entries_.size()); }

 private:
  static constexpr std::size_t kMaxDescriptors = 1 << 21;

  std::vector<std::shared_ptr<Pollable>> entries_;
  std::priority_queue<int, std::vector<int>, std::greater<>> free_;
};

}  // namespace transom::sockets
