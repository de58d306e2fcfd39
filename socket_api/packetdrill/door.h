// A stack behind packetdrill's table: one point-to-point interface, a clock that the script owns, and
// descriptors that the kernel knows too. Calls on descriptors that are the kernel's alone (files, pipes) go
// to the kernel.
//
// The thread that makes the Door is the one that moves the clock; one other may block in calls meanwhile.
#pragma once

#include <sys/epoll.h>
#include <sys/time.h>

#include "socket_api/c_stack.h"
#include "socket_api/packetdrill/placeholders.h"
#include "socket_api/packetdrill/script_device.h"
#include "socket_api/packetdrill/settings.h"
#include "socket_api/packetdrill/sysctl_file.h"
#include "socket_api/packetdrill/virtual_loop.h"

namespace transom::sockets {

class Door {
 public:
  explicit Door(Settings settings);
  ~Door() = default;
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  int socket(int domain, int type, int protocol);
  int accept(int fd, sockaddr* address, socklen_t* length);
  int close(int fd);
  int listen(int fd, int backlog);
  int connect(int fd, const sockaddr* address, socklen_t length);
  int getsockopt(int fd, int level, int name, void* value, socklen_t* length);
  int epoll_create(int size);
  int epoll_ctl(int epfd, int operation, int fd, epoll_event* event);
  int epoll_wait(int epfd, epoll_event* events, int count, int milliseconds);
  int poll(pollfd* entries, nfds_t count, int milliseconds);
  ssize_t splice(int in, loff_t* in_offset, int out, loff_t* out_offset, std::size_t size, unsigned flags);

  void netdev_send(Bytes packet);
  // Lets the time run until a packet leaves; nullopt when nothing can come any more.
  std::optional<ScriptDevice::Sent> netdev_receive();
  void sleep(Duration duration);
  Instant look_at_clock();

  // Whether `fd` stands for something of the stack.
  bool has(int fd) const { return placeholders_.find(fd).has_value(); }
  // Runs `ours(stack, number)` for a descriptor of the stack, `theirs()` for one of the kernel.
  template <typename Ours, typename Theirs>
  auto call(int fd, Ours ours, Theirs theirs) {
    const std::optional<int> number = placeholders_.find(fd);
    if (!number) return theirs();
    const auto result = ours(&stack_, *number);
    settle();
    return result;
  }

 private:
  std::unique_ptr<Stack> make_stack();
  void set_up_interface(Stack& stack);
  int give_descriptor(int number);
  void read_sysctls();
  void prepare_socket(int number, int type);
  int get_memory_info(int number, void* value, socklen_t* length);
  ssize_t splice_to_pipe(int number, int pipe, std::size_t size, unsigned flags);
  ssize_t splice_from_pipe(int pipe, int number, std::size_t size, unsigned flags);
  void settle();  // threads that a call has woken go first

  std::mutex settings_mutex_;
  Settings settings_;
  SysctlFile sysctls_;
  VirtualLoop* loop_ = nullptr;     // of the stack
  ScriptDevice* device_ = nullptr;  // of the stack
  transom_stack stack_;
  Placeholders placeholders_;
};

}  // namespace transom::sockets
