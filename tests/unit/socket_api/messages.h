// recvmsg() and sendmsg() with control messages, for tests of both implementations.
#pragma once

#include <algorithm>

#include "tests/unit/socket_api/sockets_under_test.h"

namespace transom::sockets {

class MessageTest : public BothTest {
 protected:
  int bound(const char* text) {
    const int fd = socket_ok(std::strchr(text, ':') != nullptr ? AF_INET6 : AF_INET, SOCK_DGRAM);
    EXPECT_EQ(bind_to(fd, text), 0) << errno_name(errno);
    EXPECT_EQ(set_receive_timeout(fd, 2000), 0);
    return fd;
  }
  // Two sockets, each connected to the other.
  Pair connected(const char* text) {
    const Pair pair{bound(text), bound(text)};
    EXPECT_EQ(connect_to(pair.client, text, local_port(pair.server)), 0);
    EXPECT_EQ(connect_to(pair.server, text, local_port(pair.client)), 0);
    return pair;
  }

  struct Message {
    ssize_t result = -1;
    std::string octets;
    std::string from;
    std::uint16_t port = 0;
    int flags = 0;
    std::vector<char> control;
  };
  Message receive_message(int fd, std::size_t size, std::size_t control_size, int flags = 0) {
    Message result;
    result.octets.resize(size);
    result.control.resize(control_size);
    iovec piece{result.octets.data(), size};
    sockaddr_storage from{};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control_size > 0 ? result.control.data() : nullptr;
    message.msg_controllen = control_size;
    result.result = calls().recvmsg(fd, &message, flags);
    EXPECT_GE(result.result, 0) << errno_name(errno);
    result.octets.resize(std::min(size, static_cast<std::size_t>(std::max<ssize_t>(result.result, 0))));
    result.control.resize(message.msg_controllen);
    result.flags = message.msg_flags;
    result.from = text_of(from);
    result.port = port_of(from);
    return result;
  }
  template <typename T>
  static bool find_control(std::vector<char>& control, int level, int type, T& value) {
    msghdr message{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != level || header->cmsg_type != type ||
          header->cmsg_len < CMSG_LEN(sizeof value))
        continue;
      std::memcpy(&value, CMSG_DATA(header), sizeof value);
      return true;
    }
    return false;
  }
  // Sends with one control message.
  template <typename T>
  ssize_t send_with(int fd, std::string text, int level, int type, const T& value) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(T))] = {};
    iovec piece{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof(T));
    std::memcpy(CMSG_DATA(header), &value, sizeof(T));
    return calls().sendmsg(fd, &message, 0);
  }
};

}  // namespace transom::sockets
