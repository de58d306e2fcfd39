// The pair that a program's socket is made of behaves as a socket of the internet: the kernel's AF_UNIX does
// what pair.h counts on.
#include <poll.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include "socket_api/run/pair.h"

namespace transom::sockets::run {
namespace {

short events_of(int descriptor) {
  pollfd look{.fd = descriptor, .events = POLLIN | POLLOUT | POLLRDHUP, .revents = 0};
  poll(&look, 1, 0);
  return look.revents;
}

class RunPair : public testing::Test {
 protected:
  Pair pair_ = *make_pair(SOCK_STREAM | SOCK_NONBLOCK);
  int ours() const { return pair_.ours.get(); }
  int theirs() const { return pair_.theirs.get(); }
};

TEST_F(RunPair, ClosedGateKeepsTheProgramFromWriting) {
  Gate gate;
  gate.close(pair_);
  EXPECT_TRUE(gate.is_closed());
  EXPECT_EQ(events_of(theirs()) & (POLLIN | POLLOUT), 0);
  EXPECT_EQ(send(theirs(), "x", 1, MSG_NOSIGNAL), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(RunPair, OpenedGateLeavesWhatTheProgramWrites) {
  Gate gate;
  gate.close(pair_);
  gate.open(ours(), theirs());
  EXPECT_FALSE(gate.is_closed());
  EXPECT_EQ(events_of(theirs()) & POLLOUT, POLLOUT);
  ASSERT_EQ(send(theirs(), "request", 7, MSG_NOSIGNAL), 7);
  char text[64];
  EXPECT_EQ(recv(ours(), text, sizeof text, MSG_DONTWAIT), 7) << "no junk in front of it";
}

TEST_F(RunPair, GateTakesOutExactlyWhatItHadPutIn) {
  Gate gate;
  gate.close(pair_);
  // Room is made for the program while the gate still holds its junk: what is written now lies behind that.
  const int large = 1 << 20;
  ASSERT_EQ(setsockopt(theirs(), SOL_SOCKET, SO_SNDBUF, &large, sizeof large), 0);
  ASSERT_EQ(send(theirs(), "early", 5, MSG_NOSIGNAL), 5);
  gate.open(ours(), theirs());
  char text[64];
  ASSERT_EQ(recv(ours(), text, sizeof text, MSG_DONTWAIT), 5);
  EXPECT_EQ(std::string(text, 5), "early");
}

TEST_F(RunPair, ClosingWithAClosedGateIsAReset) {  // how a refused non-blocking connect() looks
  Gate gate;
  gate.close(pair_);
  reset(pair_.ours, -1);
  EXPECT_EQ(events_of(theirs()) & (POLLIN | POLLOUT | POLLERR | POLLHUP),
            POLLIN | POLLOUT | POLLERR | POLLHUP);
  int error = 0;
  socklen_t size = sizeof error;
  ASSERT_EQ(getsockopt(theirs(), SOL_SOCKET, SO_ERROR, &error, &size), 0);
  EXPECT_EQ(error, ECONNRESET);
}

TEST_F(RunPair, ResetComesBehindTheData) {
  ASSERT_EQ(send(ours(), "last", 4, 0), 4);
  reset(pair_.ours, theirs());
  char text[64];
  EXPECT_EQ(recv(theirs(), text, sizeof text, 0), 4);
  EXPECT_EQ(recv(theirs(), text, sizeof text, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  EXPECT_EQ(recv(theirs(), text, sizeof text, 0), 0) << "once";
}

TEST_F(RunPair, ProgramThatLeavesOctetsUnreadResets) {
  ASSERT_EQ(send(ours(), "unread", 6, 0), 6);
  pair_.theirs.reset();
  char text[64];
  EXPECT_EQ(recv(ours(), text, sizeof text, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(RunPair, CookieIsTheSameForADuplicateAndOfOneEndOnly) {
  const drivers::FileDescriptor duplicate(dup(theirs()));
  EXPECT_EQ(cookie_of(duplicate.get()), cookie_of(theirs()));
  EXPECT_NE(cookie_of(ours()), cookie_of(theirs()));
  EXPECT_EQ(cookie_of(-1), 0U);
}

TEST(RunRecordPair, KeepsBoundariesAndTellsWhenTheProgramHasGone) {
  Pair pair = *make_pair(SOCK_SEQPACKET);
  ASSERT_EQ(send(pair.theirs.get(), "one", 3, 0), 3);
  ASSERT_EQ(send(pair.theirs.get(), "", 0, 0), 0);
  ASSERT_EQ(send(pair.theirs.get(), "three", 5, 0), 5);
  char text[64];
  EXPECT_EQ(recv(pair.ours.get(), text, sizeof text, 0), 3);
  EXPECT_EQ(recv(pair.ours.get(), text, sizeof text, 0), 0);
  EXPECT_EQ(events_of(pair.ours.get()) & POLLRDHUP, 0) << "an empty datagram is not the end";
  EXPECT_EQ(recv(pair.ours.get(), text, sizeof text, 0), 5);
  pair.theirs.reset();
  EXPECT_NE(events_of(pair.ours.get()) & POLLHUP, 0);
}

}  // namespace
}  // namespace transom::sockets::run
