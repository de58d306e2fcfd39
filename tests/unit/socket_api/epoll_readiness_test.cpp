// What is Transom's own about its epoll.
#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "socket_api/epoll.h"
#include "socket_api/transom.h"

namespace transom::sockets {
namespace {

// Counts how often it is asked.
class Source final : public Pollable {
 public:
  short events() override {
    ++asked;
    return is_ready ? POLLIN : short{0};
  }
  void become_ready() {
    is_ready = true;
    announce(POLLIN);
  }

  bool is_ready = false;
  int asked = 0;

 protected:
  void on_closing(Session&) override {}
};

TEST(Epoll, AsksOnlyThoseThatMayBeReady) {
  constexpr std::size_t kWatched = 5000;
  Stack stack;
  Session session(stack);
  Epoll epoll;
  std::deque<Source> sources(kWatched);
  epoll_event event{};
  event.events = EPOLLIN;
  for (std::size_t i = 0; i < kWatched; ++i) {
    event.data.u64 = i;
    ASSERT_TRUE(epoll.control(EPOLL_CTL_ADD, sources[i], &event));
    sources[i].asked = 0;
  }
  sources[7].become_ready();
  sources[4000].become_ready();
  std::array<epoll_event, 16> events;
  ASSERT_EQ(epoll.wait(session, events, session.now()), 2);
  EXPECT_EQ(std::uint64_t{events[0].data.u64}, 7U) << "in the order in which they became ready";
  EXPECT_EQ(std::uint64_t{events[1].data.u64}, 4000U);
  int asked = 0;
  for (const Source& source : sources) asked += source.asked;
  EXPECT_LE(asked, 4);
  sources[7].is_ready = sources[4000].is_ready = false;
  ASSERT_EQ(epoll.wait(session, events, session.now()), 0);
  for (Source& source : sources) source.close(session);
  epoll.close(session);
}

TEST(Epoll, EndsAWaitWhenItIsClosed) {
  transom_stack* const stack = transom_stack_create(nullptr, nullptr, 0);
  ASSERT_NE(stack, nullptr);
  const int epfd = transom_epoll_create1(stack, 0);
  std::thread closer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(transom_close(stack, epfd), 0);
  });
  epoll_event event{};
  EXPECT_EQ(transom_epoll_wait(stack, epfd, &event, 1, -1), -1);
  EXPECT_EQ(errno, EBADF);
  closer.join();
  transom_stack_destroy(stack);
}

TEST(Epoll, OutlivesWhatItWatchesAndTheOtherWayRound) {
  transom_stack* const stack = transom_stack_create(nullptr, nullptr, 0);
  ASSERT_NE(stack, nullptr);
  const int epfd = transom_epoll_create1(stack, 0);
  const int outer = transom_epoll_create1(stack, 0);
  const int fd = transom_socket(stack, AF_INET, SOCK_STREAM, 0);
  epoll_event event{};
  event.events = EPOLLOUT;
  EXPECT_EQ(transom_epoll_ctl(stack, epfd, EPOLL_CTL_ADD, fd, &event), 0);
  EXPECT_EQ(transom_epoll_ctl(stack, outer, EPOLL_CTL_ADD, fd, &event), 0);
  EXPECT_EQ(transom_epoll_ctl(stack, outer, EPOLL_CTL_ADD, epfd, &event), 0);
  EXPECT_EQ(transom_close(stack, epfd), 0);
  EXPECT_EQ(transom_close(stack, fd), 0);
  EXPECT_EQ(transom_epoll_wait(stack, outer, &event, 1, 0), 0);
  transom_stack_destroy(stack);  // closes what is left
}

TEST(Epoll, TakesNanosecondsAndRefusesTimesThatAreNone) {
  transom_stack* const stack = transom_stack_create(nullptr, nullptr, 0);
  ASSERT_NE(stack, nullptr);
  const int epfd = transom_epoll_create1(stack, 0);
  epoll_event event{};
  timespec timeout{.tv_sec = 0, .tv_nsec = 1000};
  EXPECT_EQ(transom_epoll_pwait2(stack, epfd, &event, 1, &timeout, nullptr), 0);
  timeout.tv_nsec = 1'000'000'000;
  EXPECT_EQ(transom_epoll_pwait2(stack, epfd, &event, 1, &timeout, nullptr), -1);
  EXPECT_EQ(errno, EINVAL);
  transom_stack_destroy(stack);
}

TEST(Epoll, KeepsKernelDescriptorsOutOfNests) {
  transom_stack* const stack = transom_stack_create(nullptr, nullptr, 0);
  ASSERT_NE(stack, nullptr);
  const int inner = transom_epoll_create1(stack, 0);
  const int outer = transom_epoll_create1(stack, 0);
  epoll_event event{};
  event.events = EPOLLIN;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(transom_epoll_ctl_kernel(stack, inner, EPOLL_CTL_ADD, ends[0], &event), 0);
  EXPECT_EQ(transom_epoll_ctl(stack, outer, EPOLL_CTL_ADD, inner, &event), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(transom_epoll_ctl_kernel(stack, inner, EPOLL_CTL_DEL, ends[0], nullptr), 0);
  EXPECT_EQ(transom_epoll_ctl(stack, outer, EPOLL_CTL_ADD, inner, &event), 0);
  EXPECT_EQ(transom_epoll_ctl_kernel(stack, inner, EPOLL_CTL_ADD, ends[0], &event), -1);
  EXPECT_EQ(errno, EINVAL);
  close(ends[0]);
  close(ends[1]);
  transom_stack_destroy(stack);
}

}  // namespace
}  // namespace transom::sockets
