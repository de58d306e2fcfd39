// What a preloaded library and the supervisor say to each other: preload_protocol.h.
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <array>
#include <cstring>

#include <gtest/gtest.h>

#include "socket_api/run/call_source.h"
#include "socket_api/run/preload_protocol.h"

namespace transom::sockets::run {
namespace {

class PreloadSource : public testing::Test {
 protected:
  PreloadSource() {
    // A name of the kernel's choice: that of programs belongs to the network namespace, which others share.
    drivers::FileDescriptor listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0));
    address_.sun_family = AF_UNIX;
    EXPECT_EQ(bind(listener.get(), name(), sizeof(sa_family_t)), 0);
    EXPECT_EQ(listen(listener.get(), 8), 0);
    size_ = sizeof address_;
    EXPECT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address_), &size_), 0);
    source_ = make_call_source(Interception::kPreload, std::move(listener));
  }

  const sockaddr* name() const { return reinterpret_cast<const sockaddr*>(&address_); }
  drivers::FileDescriptor ask(const transom_request& request) {
    drivers::FileDescriptor connection(socket(AF_UNIX, SOCK_SEQPACKET, 0));
    EXPECT_EQ(connect(connection.get(), name(), size_), 0);
    EXPECT_EQ(send(connection.get(), &request, sizeof request, 0), static_cast<ssize_t>(sizeof request));
    return connection;
  }
  static transom_answer answer_of(const drivers::FileDescriptor& connection) {
    transom_answer answer{};
    EXPECT_EQ(recv(connection.get(), &answer, sizeof answer, MSG_DONTWAIT),
              static_cast<ssize_t>(sizeof answer));
    return answer;
  }

  sockaddr_un address_{};
  socklen_t size_ = 0;
  std::unique_ptr<CallSource> source_;
};

TEST_F(PreloadSource, HandsOverACallAndItsResult) {
  EXPECT_FALSE(source_->next());
  const auto connection = ask({SYS_listen, {7, 16, 0, 0, 0, 1ULL << 40}});
  const auto call = source_->next();
  ASSERT_TRUE(call);
  EXPECT_EQ(call->number(), SYS_listen);
  EXPECT_EQ(call->int_argument(0), 7);
  EXPECT_EQ(call->argument(5), 1ULL << 40);
  EXPECT_EQ(call->thread(), getpid());
  EXPECT_TRUE(call->is_alive());
  call->finish(Errno{EADDRINUSE});
  EXPECT_EQ(answer_of(connection).error, EADDRINUSE);
  EXPECT_FALSE(source_->next());
}

TEST_F(PreloadSource, LeavesACallToTheKernel) {
  const auto connection = ask({SYS_sendmsg, {}});
  source_->next()->resume();
  EXPECT_EQ(answer_of(connection).kind, TRANSOM_RESUME);
}

TEST_F(PreloadSource, GivesADescriptor) {
  const auto connection = ask({SYS_socket, {AF_INET, SOCK_STREAM, 0}});
  const drivers::FileDescriptor given(dup(connection.get()));
  ASSERT_TRUE(source_->next()->give(given.get(), true));
  transom_answer answer{};
  iovec piece{&answer, sizeof answer};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ASSERT_EQ(recvmsg(connection.get(), &message, MSG_DONTWAIT), static_cast<ssize_t>(sizeof answer));
  EXPECT_EQ(answer.kind, TRANSOM_GIVE);
  EXPECT_EQ(answer.value, 1) << "close on exec";
  ASSERT_NE(CMSG_FIRSTHDR(&message), nullptr);
  int number = -1;
  std::memcpy(&number, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof number);
  const drivers::FileDescriptor came(number);
  EXPECT_TRUE(came);
}

TEST_F(PreloadSource, NoticesThatNobodyWaitsAnyMore) {
  auto connection = ask({SYS_accept, {}});
  const auto call = source_->next();
  ASSERT_TRUE(call);
  connection.reset();
  EXPECT_FALSE(call->is_alive());
  const drivers::FileDescriptor given(dup(0));
  EXPECT_EQ(call->give(given.get(), false).error(), Errno{ESRCH});
}

TEST_F(PreloadSource, IsNotStoppedByWhoSaysNothingOrNonsense) {
  drivers::FileDescriptor silent(socket(AF_UNIX, SOCK_SEQPACKET, 0));
  ASSERT_EQ(connect(silent.get(), name(), size_), 0);
  drivers::FileDescriptor odd(socket(AF_UNIX, SOCK_SEQPACKET, 0));
  ASSERT_EQ(connect(odd.get(), name(), size_), 0);
  ASSERT_EQ(send(odd.get(), "x", 1, 0), 1);
  const auto connection = ask({SYS_bind, {}});
  std::optional<TrappedCall> call;
  for (int i = 0; i < 10 && !call; ++i) call = source_->next();
  ASSERT_TRUE(call);
  EXPECT_EQ(call->number(), SYS_bind);
  char octet = 0;
  EXPECT_EQ(recv(odd.get(), &octet, 1, MSG_DONTWAIT), 0) << "its connection is closed";
}

}  // namespace
}  // namespace transom::sockets::run
