// SO_ATTACH_FILTER of TCP: socket(7).
#include <linux/filter.h>

#include "tests/unit/socket_api/sockets_under_test.h"

namespace transom::sockets {
namespace {

class StreamFilters : public BothTest {
 protected:
  int attach(int fd, std::vector<sock_filter> code) {
    const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    return calls().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  }
  int attach_answer(int fd, std::uint32_t octets) { return attach(fd, {BPF_STMT(BPF_RET | BPF_K, octets)}); }
  int detach(int fd) { return set_int(fd, SOL_SOCKET, SO_DETACH_FILTER, 0); }
};
INSTANTIATE_BOTH(StreamFilters);

TEST_P(StreamFilters, MakeWhatTheyRefuseAsIfLost) {
  const Pair pair = connected_pair();
  EXPECT_EQ(attach_answer(pair.server, 0), 0);
  EXPECT_EQ(send(pair.client, "again"), 5);
  EXPECT_EQ(poll_one(pair.server, POLLIN, 20), 0);
  EXPECT_EQ(detach(pair.server), 0);
  EXPECT_EQ(poll_one(pair.server, POLLIN), POLLIN) << "it is sent again";
  EXPECT_EQ(receive(pair.server), "again");
  EXPECT_ERRNO(detach(pair.server), ENOENT);
}

TEST_P(StreamFilters, LeaveTheRestOfASegmentToBeSentAgain) {
  const Pair pair = connected_pair();
  EXPECT_EQ(
      attach(pair.server, {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
                           BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 4), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 300),
                           BPF_STMT(BPF_RET | BPF_A, 0)}),
      0)
      << "the header and 300 octets";
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>('a' + i % 26);
  EXPECT_EQ(send(pair.client, text), 1000);
  EXPECT_EQ(set_receive_timeout(pair.server, 3000), 0);
  EXPECT_EQ(receive(pair.server), text.substr(0, 300));
  EXPECT_EQ(detach(pair.server), 0);
  std::string rest;
  while (rest.size() < 700) {
    const std::string got = receive(pair.server);
    ASSERT_FALSE(got.empty() || got[0] == '-') << got;
    rest += got;
  }
  EXPECT_EQ(rest, text.substr(300));
}

TEST_P(StreamFilters, OfAListenerAreThoseOfWhatItAccepts) {
  const int server = listener();
  EXPECT_EQ(attach_answer(server, 65535), 0);
  EXPECT_EQ(set_int(server, SOL_SOCKET, SO_LOCK_FILTER, 1), 0);
  const int client = socket_ok(AF_INET, SOCK_STREAM);
  EXPECT_EQ(connect_to(client, "127.0.0.1", local_port(server)), 0);
  const int accepted = calls().accept4(server, nullptr, nullptr, 0);
  ASSERT_GE(accepted, 0);
  close_later(accepted);
  EXPECT_EQ(get_int(accepted, SOL_SOCKET, SO_LOCK_FILTER), 1);
  EXPECT_ERRNO(detach(accepted), EPERM);
  EXPECT_EQ(send(client, "through"), 7);
  EXPECT_EQ(receive(accepted), "through");
}

TEST_P(StreamFilters, OfAListenerRefuseWhoWantsToConnect) {
  const int server = listener();
  EXPECT_EQ(attach_answer(server, 0), 0);
  const int client = socket_ok(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
  EXPECT_ERRNO(connect_to(client, "127.0.0.1", local_port(server)), EINPROGRESS);
  EXPECT_EQ(poll_one(client, POLLOUT, 20), 0);
  EXPECT_EQ(detach(server), 0);
  EXPECT_EQ(poll_one(client, POLLOUT, 3000), POLLOUT) << "the SYN is sent again";
}

}  // namespace
}  // namespace transom::sockets
