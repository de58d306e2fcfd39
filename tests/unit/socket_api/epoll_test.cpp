// epoll, on Transom and on the kernel.
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/unit/socket_api/sockets_under_test.h"

namespace transom::sockets {
namespace {

class EpollOfSockets : public BothTest {
 protected:
  int epoll_ok() {
    const int epfd = calls().epoll_create1(EPOLL_CLOEXEC);
    EXPECT_GE(epfd, 0) << errno_name(errno);
    return close_later(epfd);
  }
  int control(int epfd, int operation, int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    return calls().epoll_ctl(epfd, operation, fd, &event);
  }
  int add(int epfd, int fd, std::uint32_t events) { return control(epfd, EPOLL_CTL_ADD, fd, events); }

  struct Event {
    int fd;
    std::uint32_t events;
    friend bool operator==(const Event&, const Event&) = default;
    friend void PrintTo(const Event& event, std::ostream* out) {
      *out << "fd " << event.fd << " events 0x" << std::hex << event.events << std::dec;
    }
  };
  using Events = std::vector<Event>;
  // Sorted by descriptor.
  Events wait(int epfd, int timeout = 0, int most = 64) {
    std::vector<epoll_event> events(static_cast<std::size_t>(most));
    const int count = calls().epoll_wait(epfd, events.data(), most, timeout);
    EXPECT_GE(count, 0) << errno_name(errno);
    Events result;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      result.push_back({event.data.fd, event.events});
    }
    std::ranges::sort(result, {}, &Event::fd);
    return result;
  }
  int datagrams() {
    const int fd = socket_ok(AF_INET, SOCK_DGRAM);
    EXPECT_EQ(bind_to(fd, "127.0.0.1"), 0);
    return fd;
  }
  void say(int to, std::string_view text) {
    EXPECT_EQ(send_to(sender_ < 0 ? sender_ = socket_ok(AF_INET, SOCK_DGRAM) : sender_, text, "127.0.0.1",
                      local_port(to)),
              static_cast<ssize_t>(text.size()));
  }

 private:
  int sender_ = -1;
};
INSTANTIATE_BOTH(EpollOfSockets);

TEST_P(EpollOfSockets, ReportsForAsLongAsItIsTrueWhenLevelTriggered) {
  const int epfd = epoll_ok();
  const int one = datagrams();
  const int two = datagrams();
  EXPECT_EQ(add(epfd, one, EPOLLIN), 0);
  EXPECT_EQ(add(epfd, two, EPOLLIN), 0);
  EXPECT_EQ(wait(epfd), Events{});
  say(one, "first");
  say(one, "second");
  say(two, "third");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(wait(epfd, 2000), (Events{{one, EPOLLIN}, {two, EPOLLIN}}));
  EXPECT_EQ(receive(one), "first");
  EXPECT_EQ(wait(epfd, 2000), (Events{{one, EPOLLIN}, {two, EPOLLIN}})) << "one more is there";
  EXPECT_EQ(receive(one), "second");
  EXPECT_EQ(wait(epfd, 2000), (Events{{two, EPOLLIN}}));
  EXPECT_EQ(receive(two), "third");
  EXPECT_EQ(wait(epfd), Events{});
}

TEST_P(EpollOfSockets, TakesTurnsWhenThereIsRoomForFewEvents) {
  const int epfd = epoll_ok();
  std::vector<int> all;
  for (int i = 0; i < 5; ++i) {
    all.push_back(datagrams());
    EXPECT_EQ(add(epfd, all.back(), EPOLLIN), 0);
    say(all.back(), "x");
  }
  std::vector<int> seen;
  while (seen.size() < all.size()) {
    const Events events = wait(epfd, 2000, 1);
    ASSERT_EQ(events.size(), 1U);
    seen.push_back(events[0].fd);
  }
  std::ranges::sort(seen);
  EXPECT_EQ(seen, all) << "each was reported once before any was reported again";
}

TEST_P(EpollOfSockets, ReportsArrivalsOnceWhenEdgeTriggered) {
  const int epfd = epoll_ok();
  const int fd = datagrams();
  EXPECT_EQ(add(epfd, fd, EPOLLIN | EPOLLET), 0);
  say(fd, "first");
  EXPECT_EQ(wait(epfd, 2000), (Events{{fd, EPOLLIN}}));
  EXPECT_EQ(wait(epfd), Events{});
  say(fd, "second");
  EXPECT_EQ(wait(epfd, 2000), (Events{{fd, EPOLLIN}})) << "more has come, although the first is unread";
  EXPECT_EQ(receive(fd), "first");
  EXPECT_EQ(wait(epfd), Events{}) << "reading is no edge";
  EXPECT_EQ(control(epfd, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET), 0);
  EXPECT_EQ(wait(epfd), (Events{{fd, EPOLLIN}})) << "arming again is";
}

TEST_P(EpollOfSockets, TellsRoomToWriteOnlyAfterItWasFull) {
  const auto pair = connected_pair();
  const int epfd = epoll_ok();
  EXPECT_EQ(add(epfd, pair.client, EPOLLOUT | EPOLLET), 0);
  EXPECT_EQ(wait(epfd), (Events{{pair.client, EPOLLOUT}}));
  EXPECT_EQ(send(pair.server, "input"), 5);
  EXPECT_EQ(poll_one(pair.client, POLLIN), POLLIN);
  EXPECT_EQ(wait(epfd), Events{}) << "input is no edge to who waits for room";

  EXPECT_EQ(calls().fcntl(pair.client, F_SETFL, O_NONBLOCK), 0);
  const std::string much(1 << 20, 'm');
  std::size_t sent = 0;
  ssize_t taken;
  while ((taken = send(pair.client, much)) > 0) sent += static_cast<std::size_t>(taken);
  EXPECT_EQ(errno_name(errno), "EAGAIN");
  EXPECT_EQ(wait(epfd), Events{});
  for (std::size_t got = 0; got < sent;) got += receive(pair.server, 1 << 20).size();
  EXPECT_EQ(wait(epfd, 5000), (Events{{pair.client, EPOLLOUT}}));
  EXPECT_EQ(wait(epfd), Events{});
}

TEST_P(EpollOfSockets, FallsDeafAfterOneShot) {
  const int epfd = epoll_ok();
  const int fd = datagrams();
  EXPECT_EQ(add(epfd, fd, EPOLLIN | EPOLLONESHOT), 0);
  say(fd, "first");
  EXPECT_EQ(wait(epfd, 2000), (Events{{fd, EPOLLIN}}));
  say(fd, "second");
  EXPECT_EQ(wait(epfd, 10), Events{});
  EXPECT_EQ(control(epfd, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT | EPOLLONESHOT), 0);
  EXPECT_EQ(wait(epfd), (Events{{fd, EPOLLIN | EPOLLOUT}}));
  EXPECT_EQ(wait(epfd), Events{});
}

TEST_P(EpollOfSockets, TellsHowAConnectionEnds) {
  const auto pair = connected_pair();
  const int epfd = epoll_ok();
  EXPECT_EQ(add(epfd, pair.server, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET), 0);
  EXPECT_EQ(wait(epfd), (Events{{pair.server, EPOLLOUT}}));
  EXPECT_EQ(send(pair.client, "!", MSG_OOB), 1);
  EXPECT_EQ(wait(epfd, 2000).front().events & (EPOLLPRI | EPOLLOUT), EPOLLPRI | EPOLLOUT);
  EXPECT_EQ(calls().shutdown(pair.client, SHUT_WR), 0);
  const Events half = wait(epfd, 2000);
  ASSERT_EQ(half.size(), 1U);
  EXPECT_EQ(half[0].events & (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP), EPOLLIN | EPOLLOUT | EPOLLRDHUP);
  const linger reset{.l_onoff = 1, .l_linger = 0};
  EXPECT_EQ(calls().setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
  close_now(pair.client);
  const Events end = wait(epfd, 2000);
  ASSERT_EQ(end.size(), 1U);
  EXPECT_EQ(end[0].events & (EPOLLERR | EPOLLHUP), EPOLLERR | EPOLLHUP)
      << "also without having been asked for";
}

TEST_P(EpollOfSockets, TellsRefusedConnectionsAndNewOnes) {
  const int epfd = epoll_ok();
  const int listening = listener();
  EXPECT_EQ(add(epfd, listening, EPOLLIN), 0);
  const int client = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(connect_to(client, "127.0.0.1", local_port(listening)), 0);
  EXPECT_EQ(wait(epfd, 2000), (Events{{listening, EPOLLIN}}));
  const std::uint16_t gone = local_port(listening);
  close_now(listening);
  const int refused = socket_ok(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  EXPECT_EQ(add(epfd, refused, EPOLLOUT), 0);
  EXPECT_EQ(wait(epfd), (Events{{refused, EPOLLOUT | EPOLLHUP}})) << "as Linux has it of a fresh socket";
  if (connect_to(refused, "127.0.0.1", gone) != 0) {
    EXPECT_EQ(errno_name(errno), "EINPROGRESS");
  }
  EXPECT_EQ(wait(epfd, 2000).front().events & (EPOLLOUT | EPOLLERR | EPOLLHUP),
            EPOLLOUT | EPOLLERR | EPOLLHUP);
  EXPECT_EQ(get_int(refused, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
}

TEST_P(EpollOfSockets, ForgetsWhatIsClosedOrTakenOut) {
  const int epfd = epoll_ok();
  const int closed = datagrams();
  const int removed = datagrams();
  EXPECT_EQ(add(epfd, closed, EPOLLIN), 0);
  EXPECT_EQ(add(epfd, removed, EPOLLIN), 0);
  say(closed, "x");
  say(removed, "x");
  EXPECT_EQ(wait(epfd).size(), 2U);
  close_now(closed);
  EXPECT_EQ(control(epfd, EPOLL_CTL_DEL, removed, 0), 0);
  EXPECT_EQ(wait(epfd, 10), Events{});
  const int again = datagrams();
  EXPECT_EQ(again, closed) << "the lowest number that is free";
  EXPECT_EQ(add(epfd, again, EPOLLIN), 0) << "nothing is left of the old one";
}

TEST_P(EpollOfSockets, RefusesWhatMakesNoSense) {
  const int epfd = epoll_ok();
  const int fd = datagrams();
  const int never = 4711;
  EXPECT_ERRNO(calls().epoll_create1(1), EINVAL);
  EXPECT_ERRNO(add(never, fd, EPOLLIN), EBADF);
  EXPECT_ERRNO(add(epfd, never, EPOLLIN), EBADF);
  EXPECT_ERRNO(add(fd, epfd, EPOLLIN), EINVAL);
  EXPECT_ERRNO(add(epfd, epfd, EPOLLIN), EINVAL);
  EXPECT_ERRNO(control(epfd, EPOLL_CTL_MOD, fd, EPOLLIN), ENOENT);
  EXPECT_ERRNO(control(epfd, EPOLL_CTL_DEL, fd, EPOLLIN), ENOENT);
  EXPECT_EQ(add(epfd, fd, EPOLLIN), 0);
  EXPECT_ERRNO(add(epfd, fd, EPOLLIN), EEXIST);
  EXPECT_ERRNO(control(epfd, 17, fd, EPOLLIN), EINVAL);
  EXPECT_ERRNO(calls().epoll_ctl(epfd, EPOLL_CTL_MOD, fd, nullptr), EFAULT);
  EXPECT_EQ(calls().epoll_ctl(epfd, EPOLL_CTL_DEL, fd, nullptr), 0);

  epoll_event event{};
  EXPECT_ERRNO(calls().epoll_wait(epfd, &event, 0, 0), EINVAL);
  EXPECT_ERRNO(calls().epoll_wait(epfd, &event, -1, 0), EINVAL);
  EXPECT_ERRNO(calls().epoll_wait(fd, &event, 1, 0), EINVAL);
  EXPECT_ERRNO(calls().epoll_wait(never, &event, 1, 0), EBADF);

  EXPECT_ERRNO(add(epfd, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT), EINVAL);
  EXPECT_EQ(add(epfd, fd, EPOLLIN | EPOLLEXCLUSIVE), 0);
  EXPECT_ERRNO(control(epfd, EPOLL_CTL_MOD, fd, EPOLLIN), EINVAL);
  say(fd, "x");
  EXPECT_EQ(wait(epfd, 2000), (Events{{fd, EPOLLIN}}));
  EXPECT_ERRNO(send(epfd, "x"), ENOTSOCK);
}

TEST_P(EpollOfSockets, WatchesOthersWithoutACircle) {
  const int inner = epoll_ok();
  const int outer = epoll_ok();
  const int fd = datagrams();
  EXPECT_EQ(add(inner, fd, EPOLLIN), 0);
  EXPECT_EQ(add(outer, inner, EPOLLIN), 0);
  EXPECT_ERRNO(add(inner, outer, EPOLLIN), ELOOP);
  EXPECT_EQ(wait(outer), Events{});
  say(fd, "x");
  EXPECT_EQ(wait(outer, 2000), (Events{{inner, EPOLLIN}}));
  EXPECT_EQ(poll_one(outer, POLLIN), POLLIN);
  EXPECT_EQ(wait(inner), (Events{{fd, EPOLLIN}}));
  EXPECT_EQ(receive(fd), "x");
  EXPECT_EQ(wait(outer), Events{});
  EXPECT_EQ(poll_one(outer, POLLIN, 0), 0);

  int top = outer;
  for (int depth = 2; depth < 5; ++depth) {
    const int next = epoll_ok();
    EXPECT_EQ(add(next, top, EPOLLIN), 0) << depth << " " << errno_name(errno);
    top = next;
  }
  const int too_high = epoll_ok();
  EXPECT_ERRNO(add(too_high, top, EPOLLIN), ELOOP);
}

TEST_P(EpollOfSockets, WakesAThreadThatWaits) {
  const int epfd = epoll_ok();
  const int fd = datagrams();
  EXPECT_EQ(add(epfd, fd, EPOLLIN), 0);
  const std::uint16_t port = local_port(fd);
  const int from = socket_ok(AF_INET, SOCK_DGRAM);
  std::thread sender([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(send_to(from, "late", "127.0.0.1", port), 4);
  });
  EXPECT_EQ(wait(epfd, -1), (Events{{fd, EPOLLIN}}));
  sender.join();
}

TEST_P(EpollOfSockets, HearsOfASocketThatIsAddedWhileItWaits) {
  const int epfd = epoll_ok();
  const int fd = datagrams();
  say(fd, "early");
  std::thread adder([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(add(epfd, fd, EPOLLIN), 0);
  });
  EXPECT_EQ(wait(epfd, -1), (Events{{fd, EPOLLIN}}));
  adder.join();
}

TEST_P(EpollOfSockets, WakesOneThreadPerArrival) {
  constexpr int kThreads = 4;
  const int epfd = epoll_ok();
  const int fd = datagrams();
  EXPECT_EQ(calls().fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  EXPECT_EQ(add(epfd, fd, EPOLLIN | EPOLLET), 0);
  std::vector<std::thread> threads;
  std::array<int, kThreads> counts{};
  std::atomic<int> ended = 0;
  for (int& count : counts) {
    threads.emplace_back([&] {
      while (true) {
        for (const Event& event : wait(epfd, -1)) EXPECT_EQ(event.fd, fd);
        bool is_end = false;
        for (std::string text; (text = receive(fd))[0] != '-';) {
          ++count;
          is_end |= text == "end";
        }
        if (!is_end) continue;
        ++ended;
        return;
      }
    });
  }
  for (int i = 0; i < 100; ++i) say(fd, "x");
  for (int i = 0; i < kThreads; ++i) {
    say(fd, "end");
    // One that has read an end, and reads on, must not take the next one as well: then another would never
    // end.
    while (ended <= i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (std::thread& thread : threads) thread.join();
  int total = 0;
  for (const int count : counts) total += count;
  EXPECT_EQ(total, 100 + kThreads);
}

// ---------------------------------------------------------------- with descriptors of the kernel

TEST_P(EpollOfSockets, WaitsForDescriptorsOfTheKernelToo) {
  const int epfd = epoll_ok();
  const int ours = datagrams();
  EXPECT_EQ(add(epfd, ours, EPOLLIN), 0);
  const int event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = 1000;
  EXPECT_EQ(calls().epoll_ctl_kernel(epfd, EPOLL_CTL_ADD, event_fd, &event), 0) << errno_name(errno);
  EXPECT_ERRNO(calls().epoll_ctl_kernel(epfd, EPOLL_CTL_ADD, event_fd, &event), EEXIST);
  EXPECT_EQ(wait(epfd, 10), Events{});
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(eventfd_write(event_fd, 1), 0);
  });
  EXPECT_EQ(wait(epfd, -1), (Events{{1000, EPOLLIN}}));
  writer.join();
  say(ours, "x");
  EXPECT_EQ(wait(epfd, 2000), (Events{{ours, EPOLLIN}, {1000, EPOLLIN}}));
  EXPECT_EQ(poll_one(epfd, POLLIN), POLLIN);
  std::vector<int> seen;
  for (int i = 0; i < 2; ++i) seen.push_back(wait(epfd, 0, 1).at(0).fd);
  std::ranges::sort(seen);
  EXPECT_EQ(seen, (std::vector<int>{ours, 1000})) << "neither starves the other";
  eventfd_t value = 0;
  EXPECT_EQ(eventfd_read(event_fd, &value), 0);
  EXPECT_EQ(wait(epfd), (Events{{ours, EPOLLIN}}));
  EXPECT_EQ(calls().epoll_ctl_kernel(epfd, EPOLL_CTL_DEL, event_fd, nullptr), 0);
  EXPECT_ERRNO(calls().epoll_ctl_kernel(epfd, EPOLL_CTL_DEL, event_fd, nullptr), ENOENT);
  ::close(event_fd);

  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  EXPECT_ERRNO(calls().epoll_ctl_kernel(epfd, EPOLL_CTL_ADD, file, &event), EPERM);
  ::close(file);
}

TEST_P(EpollOfSockets, PollWaitsForDescriptorsOfTheKernelInIt) {
  const int epfd = epoll_ok();
  const int event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  EXPECT_EQ(calls().epoll_ctl_kernel(epfd, EPOLL_CTL_ADD, event_fd, &event), 0);
  EXPECT_EQ(poll_one(epfd, POLLIN, 0), 0);
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(eventfd_write(event_fd, 1), 0);
  });
  EXPECT_EQ(poll_one(epfd, POLLIN, -1), POLLIN);
  writer.join();
  ::close(event_fd);
}

TEST_P(EpollOfSockets, GivesAForeignLoopADescriptorToWaitFor) {
  const int epfd = epoll_ok();
  const int fd = datagrams();
  EXPECT_EQ(add(epfd, fd, EPOLLIN), 0);
  pollfd foreign{.fd = calls().epoll_descriptor(epfd), .events = POLLIN, .revents = 0};
  ASSERT_GE(foreign.fd, 0);
  EXPECT_EQ(::poll(&foreign, 1, 0), 0);
  for (int i = 0; i < 3; ++i) {
    say(fd, "x");
    EXPECT_EQ(::poll(&foreign, 1, 2000), 1);
    EXPECT_EQ(wait(epfd), (Events{{fd, EPOLLIN}}));
    EXPECT_EQ(::poll(&foreign, 1, 0), 1) << "still unread";
    EXPECT_EQ(receive(fd), "x");
    EXPECT_EQ(wait(epfd), Events{});
    EXPECT_EQ(::poll(&foreign, 1, 0), 0);
  }
  const int event_fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  EXPECT_EQ(calls().epoll_ctl_kernel(epfd, EPOLL_CTL_ADD, event_fd, &event), 0);
  EXPECT_EQ(::poll(&foreign, 1, 2000), 1);
  ::close(event_fd);
}

}  // namespace
}  // namespace transom::sockets
