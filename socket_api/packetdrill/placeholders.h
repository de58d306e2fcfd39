// The descriptors that a script sees. Each stands for one of the stack's, and is at the same time a real
// descriptor of the kernel (an eventfd that is never used): so it collides with no other of the process, and
// whoever closes it with the kernel's close() succeeds.
#pragma once

#include <map>
#include <mutex>
#include <optional>

namespace transom::sockets {

class Placeholders {
 public:
  // A new descriptor for `number` of the stack; -1 and errno when the kernel has none left. `replaced` is
  // told a number whose descriptor was closed behind our back.
  int add(int number, std::optional<int>& replaced);
  // What `descriptor` stands for; nullopt for one that is the kernel's alone.
  std::optional<int> find(int descriptor) const;
  // The same, and closes the descriptor.
  std::optional<int> remove(int descriptor);

 private:
  mutable std::mutex mutex_;
  std::map<int, int> numbers_;
};

}  // namespace transom::sockets
