// Membership of multicast groups by the options of sockets, on the loopback interface: the kernel says what
// is right.
#include "tests/unit/socket_api/sockets_under_test.h"

namespace transom::sockets {
namespace {

class GroupOptions : public BothTest {
 protected:
  static in_addr v4(const char* text) {
    in_addr address{};
    inet_pton(AF_INET, text, &address);
    return address;
  }
  int change(int fd, int name, const char* group) {
    ip_mreq request{.imr_multiaddr = v4(group), .imr_interface = v4("127.0.0.1")};
    return calls().setsockopt(fd, IPPROTO_IP, name, &request, sizeof request);
  }
  int change_source(int fd, int name, const char* group, const char* source) {
    ip_mreq_source request{};
    request.imr_multiaddr = v4(group);
    request.imr_interface = v4("127.0.0.1");
    request.imr_sourceaddr = v4(source);
    return calls().setsockopt(fd, IPPROTO_IP, name, &request, sizeof request);
  }
  // One that receives on `port` of any address, and one that sends from `from`.
  int receiver(std::uint16_t port) {
    const int fd = socket_ok(AF_INET, SOCK_DGRAM);
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    EXPECT_EQ(bind_to(fd, "0.0.0.0", port), 0);
    EXPECT_EQ(set_receive_timeout(fd, 200), 0);
    return fd;
  }
  int sender(const char* from) {
    const int fd = socket_ok(AF_INET, SOCK_DGRAM);
    EXPECT_EQ(bind_to(fd, from), 0);
    const in_addr interface = v4("127.0.0.1");
    EXPECT_EQ(calls().setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface), 0);
    return fd;
  }
  // The filter of a group as text: "exclude 127.0.0.2".
  std::string filter(int fd, const char* group) {
    std::array<std::uint8_t, IP_MSFILTER_SIZE(10)> octets{};
    auto* const request = reinterpret_cast<ip_msfilter*>(octets.data());
    request->imsf_multiaddr = v4(group);
    request->imsf_interface = v4("127.0.0.1");
    request->imsf_numsrc = 10;
    socklen_t size = octets.size();
    if (calls().getsockopt(fd, IPPROTO_IP, IP_MSFILTER, octets.data(), &size) != 0) return errno_name(errno);
    std::string text = request->imsf_fmode == MCAST_INCLUDE ? "include" : "exclude";
    EXPECT_EQ(size, IP_MSFILTER_SIZE(request->imsf_numsrc));
    for (std::uint32_t i = 0; i < request->imsf_numsrc; ++i)
      text += std::string(" ") + inet_ntoa(in_addr{(&request->imsf_slist[0])[i]});
    return text;
  }
  static constexpr const char* kGroup = "239.77.1.2";
};

TEST_P(GroupOptions, SourcesAreAddedAndTakenAway) {
  const int fd = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_EQ(filter(fd, kGroup), "EADDRNOTAVAIL");
  EXPECT_EQ(change_source(fd, IP_ADD_SOURCE_MEMBERSHIP, kGroup, "127.0.0.2"), 0);
  EXPECT_EQ(change_source(fd, IP_ADD_SOURCE_MEMBERSHIP, kGroup, "127.0.0.3"), 0);
  EXPECT_EQ(filter(fd, kGroup), "include 127.0.0.2 127.0.0.3");
  EXPECT_ERRNO(change_source(fd, IP_ADD_SOURCE_MEMBERSHIP, kGroup, "127.0.0.2"), EADDRNOTAVAIL);
  EXPECT_ERRNO(change_source(fd, IP_BLOCK_SOURCE, kGroup, "127.0.0.4"), EINVAL);
  EXPECT_ERRNO(change(fd, IP_ADD_MEMBERSHIP, kGroup), EADDRINUSE);
  EXPECT_EQ(change_source(fd, IP_DROP_SOURCE_MEMBERSHIP, kGroup, "127.0.0.2"), 0);
  EXPECT_ERRNO(change_source(fd, IP_DROP_SOURCE_MEMBERSHIP, kGroup, "127.0.0.2"), EADDRNOTAVAIL);
  EXPECT_EQ(filter(fd, kGroup), "include 127.0.0.3");
  EXPECT_EQ(change_source(fd, IP_DROP_SOURCE_MEMBERSHIP, kGroup, "127.0.0.3"), 0);
  EXPECT_EQ(filter(fd, kGroup), "EADDRNOTAVAIL");  // left with the last
  EXPECT_ERRNO(change_source(fd, IP_DROP_SOURCE_MEMBERSHIP, kGroup, "127.0.0.3"), EINVAL);
}

TEST_P(GroupOptions, SourcesAreBlockedAndUnblocked) {
  const int fd = socket_ok(AF_INET, SOCK_DGRAM);
  EXPECT_ERRNO(change_source(fd, IP_BLOCK_SOURCE, kGroup, "127.0.0.2"), EINVAL);
  EXPECT_EQ(change(fd, IP_ADD_MEMBERSHIP, kGroup), 0);
  EXPECT_EQ(change_source(fd, IP_BLOCK_SOURCE, kGroup, "127.0.0.2"), 0);
  EXPECT_EQ(filter(fd, kGroup), "exclude 127.0.0.2");
  EXPECT_ERRNO(change_source(fd, IP_BLOCK_SOURCE, kGroup, "127.0.0.2"), EADDRNOTAVAIL);
  EXPECT_ERRNO(change_source(fd, IP_ADD_SOURCE_MEMBERSHIP, kGroup, "127.0.0.3"), EINVAL);
  EXPECT_EQ(change_source(fd, IP_UNBLOCK_SOURCE, kGroup, "127.0.0.2"), 0);
  EXPECT_ERRNO(change_source(fd, IP_UNBLOCK_SOURCE, kGroup, "127.0.0.2"), EADDRNOTAVAIL);
  EXPECT_EQ(filter(fd, kGroup), "exclude");
  EXPECT_EQ(change(fd, IP_DROP_MEMBERSHIP, kGroup), 0);
  EXPECT_ERRNO(change(fd, IP_DROP_MEMBERSHIP, kGroup), EADDRNOTAVAIL);
}

TEST_P(GroupOptions, TheWholeFilterIsSetAtOnce) {
  const int fd = socket_ok(AF_INET, SOCK_DGRAM);
  std::array<std::uint8_t, IP_MSFILTER_SIZE(2)> octets{};
  auto* const request = reinterpret_cast<ip_msfilter*>(octets.data());
  request->imsf_multiaddr = v4(kGroup);
  request->imsf_interface = v4("127.0.0.1");
  request->imsf_fmode = MCAST_INCLUDE;
  request->imsf_numsrc = 2;
  (&request->imsf_slist[0])[0] = v4("127.0.0.2");
  (&request->imsf_slist[0])[1] = v4("127.0.0.3");
  const auto set = [&](std::size_t size) {
    return calls().setsockopt(fd, IPPROTO_IP, IP_MSFILTER, octets.data(), static_cast<socklen_t>(size));
  };
  EXPECT_ERRNO(set(octets.size()), EINVAL);  // not joined
  EXPECT_EQ(change(fd, IP_ADD_MEMBERSHIP, kGroup), 0);
  EXPECT_EQ(set(octets.size()), 0);
  EXPECT_EQ(filter(fd, kGroup), "include 127.0.0.2 127.0.0.3");
  EXPECT_ERRNO(set(octets.size() - 1), EINVAL);
  EXPECT_ERRNO(set(4), EINVAL);
  request->imsf_fmode = 7;
  EXPECT_ERRNO(set(octets.size()), EINVAL);
  request->imsf_fmode = MCAST_INCLUDE;
  request->imsf_numsrc = 0;
  EXPECT_EQ(set(octets.size()), 0);  // that is to leave
  EXPECT_EQ(filter(fd, kGroup), "EADDRNOTAVAIL");
}

TEST_P(GroupOptions, OfBothFamiliesWorkByInterfaceNumber) {
  for (const char* text : {"239.77.1.3", "ff15::77"}) {
    SCOPED_TRACE(text);
    const bool is_v4 = std::string_view(text).contains('.');
    const int level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
    const int fd = socket_ok(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM);
    group_req request{};
    request.gr_interface = 1;  // lo, in either
    request.gr_group = address(text, 0);
    EXPECT_EQ(calls().setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof request), 0);
    EXPECT_ERRNO(calls().setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof request), EADDRINUSE);
    group_source_req source{};
    source.gsr_interface = 1;
    source.gsr_group = address(text, 0);
    source.gsr_source = address(is_v4 ? "127.0.0.9" : "2001:db8::9", 0);
    EXPECT_EQ(calls().setsockopt(fd, level, MCAST_BLOCK_SOURCE, &source, sizeof source), 0);
    EXPECT_EQ(calls().setsockopt(fd, level, MCAST_UNBLOCK_SOURCE, &source, sizeof source), 0);
    EXPECT_EQ(calls().setsockopt(fd, level, MCAST_LEAVE_GROUP, &request, sizeof request), 0);
    EXPECT_EQ(calls().setsockopt(fd, level, MCAST_JOIN_SOURCE_GROUP, &source, sizeof source), 0);
    EXPECT_EQ(calls().setsockopt(fd, level, MCAST_LEAVE_SOURCE_GROUP, &source, sizeof source), 0);
    EXPECT_ERRNO(calls().setsockopt(fd, level, MCAST_LEAVE_GROUP, &request, sizeof request), EADDRNOTAVAIL);
    request.gr_interface = 12345;
    EXPECT_ERRNO(calls().setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof request), ENODEV);
  }
}

TEST_P(GroupOptions, OnlyWantedSourcesAreHeard) {
  const int all = receiver(0);
  const std::uint16_t port = local_port(all);
  const int some = receiver(port);
  const int others = receiver(port);
  EXPECT_EQ(change(all, IP_ADD_MEMBERSHIP, kGroup), 0);
  EXPECT_EQ(change_source(some, IP_ADD_SOURCE_MEMBERSHIP, kGroup, "127.0.0.2"), 0);
  EXPECT_EQ(change(others, IP_ADD_MEMBERSHIP, kGroup), 0);
  EXPECT_EQ(change_source(others, IP_BLOCK_SOURCE, kGroup, "127.0.0.2"), 0);
  EXPECT_EQ(send_to(sender("127.0.0.2"), "two", kGroup, port), 3);
  EXPECT_EQ(send_to(sender("127.0.0.3"), "three", kGroup, port), 5);
  EXPECT_EQ(receive(all), "two");
  EXPECT_EQ(receive(all), "three");
  EXPECT_EQ(receive(some), "two");
  EXPECT_EQ(receive(others), "three");
  for (const int fd : {all, some, others}) EXPECT_EQ(receive(fd, 100, MSG_DONTWAIT), "-EAGAIN");
}

TEST_P(GroupOptions, GroupsOfOthersAreHeardUnlessTurnedOff) {
  const int member = receiver(0);
  const std::uint16_t port = local_port(member);
  const int bystander = receiver(port);
  EXPECT_EQ(get_int(bystander, IPPROTO_IP, IP_MULTICAST_ALL), 1);
  EXPECT_EQ(change(member, IP_ADD_MEMBERSHIP, kGroup), 0);
  const int out = sender("127.0.0.1");
  EXPECT_EQ(send_to(out, "first", kGroup, port), 5);
  EXPECT_EQ(receive(bystander), "first");
  EXPECT_EQ(set_int(bystander, IPPROTO_IP, IP_MULTICAST_ALL, 0), 0);
  EXPECT_EQ(get_int(bystander, IPPROTO_IP, IP_MULTICAST_ALL), 0);
  EXPECT_EQ(send_to(out, "second", kGroup, port), 6);
  EXPECT_EQ(receive(member), "first");
  EXPECT_EQ(receive(member), "second");
  EXPECT_EQ(receive(bystander, 100, MSG_DONTWAIT), "-EAGAIN");
}

TEST_P(GroupOptions, ThereIsALimit) {
  const int fd = socket_ok(AF_INET, SOCK_DGRAM);
  for (int i = 1; i <= 20; ++i)
    EXPECT_EQ(change(fd, IP_ADD_MEMBERSHIP, ("239.77.2." + std::to_string(i)).c_str()), 0);
  EXPECT_ERRNO(change(fd, IP_ADD_MEMBERSHIP, "239.77.2.21"), ENOBUFS);
  for (int i = 1; i <= 10; ++i)
    EXPECT_EQ(change_source(fd, IP_BLOCK_SOURCE, "239.77.2.1", ("127.0.1." + std::to_string(i)).c_str()), 0);
  EXPECT_ERRNO(change_source(fd, IP_BLOCK_SOURCE, "239.77.2.1", "127.0.1.11"), ENOBUFS);
}

INSTANTIATE_BOTH(GroupOptions);

}  // namespace
}  // namespace transom::sockets
