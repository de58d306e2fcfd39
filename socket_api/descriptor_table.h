// The small numbers by which C knows the sockets of a stack. The lowest free one is given out, as POSIX
// wants. To be used under the lock of the stack.
#pragma once

#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "socket_api/outcome.h"
#include "socket_api/socket.h"

namespace transom::sockets {

class DescriptorTable {
 public:
  Outcome<int> add(std::shared_ptr<Socket> socket) {
    if (free_.empty()) {
      if (sockets_.size() == kMaxDescriptors) return fail(EMFILE);
      sockets_.push_back(std::move(socket));
      return static_cast<int>(sockets_.size() - 1);
    }
    const int number = free_.top();
    free_.pop();
    sockets_[static_cast<std::size_t>(number)] = std::move(socket);
    return number;
  }
  // nullptr for a number that is not in use.
  std::shared_ptr<Socket> find(int number) const {
    return number >= 0 && static_cast<std::size_t>(number) < sockets_.size()
               ? sockets_[static_cast<std::size_t>(number)]
               : nullptr;
  }
  // The socket is no longer known; nullptr as for find().
  std::shared_ptr<Socket> remove(int number) {
    if (!find(number)) return nullptr;
    free_.push(number);
    return std::move(sockets_[static_cast<std::size_t>(number)]);
  }
  int end() const { return static_cast<int>(sockets_.size()); }

 private:
  static constexpr std::size_t kMaxDescriptors = 1 << 21;

  std::vector<std::shared_ptr<Socket>> sockets_;
  std::priority_queue<int, std::vector<int>, std::greater<>> free_;
};

}  // namespace transom::sockets
