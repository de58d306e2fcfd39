#include "socket_api/packetdrill/placeholders.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace transom::sockets {

int Placeholders::add(int number, std::optional<int>& replaced) {
  const int descriptor = eventfd(0, EFD_CLOEXEC);
  if (descriptor < 0) return -1;
  const std::lock_guard lock(mutex_);
  const auto [place, is_new] = numbers_.try_emplace(descriptor, number);
  if (!is_new) replaced = std::exchange(place->second, number);
  return descriptor;
}

std::optional<int> Placeholders::find(int descriptor) const {
  const std::lock_guard lock(mutex_);
  const auto found = numbers_.find(descriptor);
  return found != numbers_.end() ? std::optional(found->second) : std::nullopt;
}

std::optional<int> Placeholders::remove(int descriptor) {
  const std::lock_guard lock(mutex_);
  const auto found = numbers_.find(descriptor);
  if (found == numbers_.end()) return std::nullopt;
  const int number = found->second;
  numbers_.erase(found);
  // Not close(): that one may be ours.
  syscall(SYS_close, descriptor);
  return number;
}

}  // namespace transom::sockets
