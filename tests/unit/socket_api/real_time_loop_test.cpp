// Two stacks with threads of their own, joined by a device with a descriptor: who drives, and that nothing is
// left waiting. Through the C++ layer.
#include "socket_api/real_time_loop.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "socket_api/cxx.h"
#include "tests/unit/socket_api/datagram_socket_device.h"

namespace transom::sockets {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Bytes bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// For each: how many microseconds a waiting thread looks at the device before it sleeps.
class TwoStacks : public testing::TestWithParam<int> {
 protected:
  TwoStacks() {
    auto [near_end, far_end] = DatagramSocketDevice::make_pair();
    set_up(near_, std::move(near_end), "10.9.0.1/24");
    set_up(far_, std::move(far_end), "10.9.0.2/24");
    EXPECT_TRUE(near_.wait_for_addresses(std::chrono::seconds(5)));
    EXPECT_TRUE(far_.wait_for_addresses(std::chrono::seconds(5)));
  }

  static void set_up(Stack& stack, std::unique_ptr<drivers::Device> device, const char* address) {
    InterfaceOptions options{.conflict_detection = link::ConflictDetection::quick()};
    const InterfaceId interface = stack.add_device(std::move(device), options);
    EXPECT_TRUE(stack.add_address(interface, *IpPrefix::parse(address)));
  }

  static Endpoint far(Port port) { return {IpAddress::v4(10, 9, 0, 2), port}; }
  static Endpoint any() { return {IpAddress::v4(0), Port::kNone}; }

  // Answers everything on one connection until its end.
  static void echo(TcpListener& listener) {
    auto stream = listener.accept();
    ASSERT_TRUE(stream);
    std::array<std::uint8_t, 65536> buffer;
    while (true) {
      const auto count = stream->read(buffer);
      ASSERT_TRUE(count) << to_number(count.error());
      if (*count == 0) return;
      ASSERT_TRUE(stream->write_all(Bytes(buffer).first(*count)));
    }
  }

  static StackConfig config() { return {.busy_poll = std::chrono::microseconds(GetParam())}; }

  Stack near_{config()};
  Stack far_{config()};
};
INSTANTIATE_TEST_SUITE_P(BusyPoll, TwoStacks, testing::Values(0, 50));

std::string read_text(TcpStream& stream, std::size_t size) {
  std::string text(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const auto count = stream.read({reinterpret_cast<std::uint8_t*>(text.data()) + got, size - got});
    if (!count || *count == 0) break;
    got += *count;
  }
  text.resize(got);
  return text;
}

TEST_P(TwoStacks, CarryRequestsAndAnswers) {
  auto listener = TcpListener::listen(far_, any());
  ASSERT_TRUE(listener);
  const Port port = listener->handle().local()->port;
  std::thread server([&] { echo(*listener); });
  {
    auto stream = TcpStream::connect(near_, far(port));
    ASSERT_TRUE(stream) << to_number(stream.error());
    EXPECT_EQ(stream->handle().remote(), far(port));
    for (int i = 0; i < 200; ++i) {
      const std::string request = "request " + std::to_string(i);
      ASSERT_TRUE(stream->write_all(bytes(request)));
      ASSERT_EQ(read_text(*stream, request.size()), request);
    }
  }
  server.join();
}

TEST_P(TwoStacks, CarryMuchBothWays) {
  auto listener = TcpListener::listen(far_, any());
  ASSERT_TRUE(listener);
  std::thread server([&] { echo(*listener); });
  auto stream = TcpStream::connect(near_, far(listener->handle().local()->port));
  ASSERT_TRUE(stream) << to_number(stream.error());
  std::string much(8 << 20, '\0');
  std::uint32_t state = 7;
  for (char& octet : much) octet = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  std::thread writer([&] {
    EXPECT_TRUE(stream->write_all(bytes(much)));
    EXPECT_TRUE(stream->shutdown_write());
  });
  EXPECT_TRUE(read_text(*stream, much.size()) == much);
  writer.join();
  server.join();
}

TEST_P(TwoStacks, ServeManyBlockedThreadsEach) {
  constexpr int kThreads = 6;
  auto listener = TcpListener::listen(far_, any());
  ASSERT_TRUE(listener);
  const Port port = listener->handle().local()->port;
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] { echo(*listener); });
    threads.emplace_back([&, i] {
      auto stream = TcpStream::connect(near_, far(port));
      ASSERT_TRUE(stream) << to_number(stream.error());
      for (int round = 0; round < 50; ++round) {
        const std::string request = std::to_string(i) + ":" + std::to_string(round);
        ASSERT_TRUE(stream->write_all(bytes(request)));
        ASSERT_EQ(read_text(*stream, request.size()), request);
        ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, kThreads * 50);
}

// Nobody waits on the far side: its background thread answers the handshake and acknowledges.
TEST_P(TwoStacks, AreServedInTheBackgroundWhileNobodyWaits) {
  auto listener = TcpListener::listen(far_, any());
  ASSERT_TRUE(listener);
  const Port port = listener->handle().local()->port;
  std::this_thread::sleep_for(milliseconds(20));
  auto stream = TcpStream::connect(near_, far(port));
  ASSERT_TRUE(stream);
  ASSERT_TRUE(stream->write_all(bytes("hello")));
  const auto acknowledged = [&] {
    const Session session(near_);
    return *stream->handle().socket()->query(0x5411 /* SIOCOUTQ */) == 0;
  };
  const auto start = steady_clock::now();
  while (!acknowledged() && steady_clock::now() - start < milliseconds(5000))
    std::this_thread::sleep_for(milliseconds(1));
  EXPECT_TRUE(acknowledged());
}

// After a thread has driven for long, the background thread sleeps; it must take over again.
TEST_P(TwoStacks, AreServedInTheBackgroundAfterADriverHasLeft) {
  auto listener = TcpListener::listen(far_, any());
  ASSERT_TRUE(listener);
  {
    const timeval time{.tv_sec = 0, .tv_usec = 30000};
    Session session(far_);
    ASSERT_TRUE(listener->handle().socket()->set_option(
        session, SOL_SOCKET, SO_RCVTIMEO, Bytes(reinterpret_cast<const std::uint8_t*>(&time), sizeof time)));
  }
  EXPECT_EQ(listener->accept().error(), Errno{EAGAIN});  // drives for 30 ms
  const auto start = steady_clock::now();
  EXPECT_TRUE(TcpStream::connect(near_, far(listener->handle().local()->port)));
  EXPECT_LT(steady_clock::now() - start, milliseconds(900)) << "the first SYN was not answered";
}

// The sleeper's socket becomes ready while another thread drives.
TEST_P(TwoStacks, WakeASleeperWhoseSocketBecomesReady) {
  auto first = UdpEndpoint::bind(near_, any());
  auto second = UdpEndpoint::bind(near_, any());
  auto sender = UdpEndpoint::bind(far_, any());
  ASSERT_TRUE(first && second && sender);
  const Endpoint to_first{IpAddress::v4(10, 9, 0, 1), first->handle().local()->port};
  const Endpoint to_second{IpAddress::v4(10, 9, 0, 1), second->handle().local()->port};
  std::array<std::uint8_t, 16> octets_of_first{}, octets_of_second{};
  std::thread driver([&] { EXPECT_TRUE(first->receive(octets_of_first)); });
  std::this_thread::sleep_for(milliseconds(20));
  std::thread sleeper([&] { EXPECT_TRUE(second->receive(octets_of_second)); });
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_TRUE(sender->send_to(bytes("second"), to_second));
  sleeper.join();
  EXPECT_TRUE(sender->send_to(bytes("first"), to_first));
  driver.join();
}

// The driver leaves while another thread still waits: that one must drive.
TEST_P(TwoStacks, PassTheDrivingOnToASleeper) {
  auto first = UdpEndpoint::bind(near_, any());
  auto second = UdpEndpoint::bind(near_, any());
  auto sender = UdpEndpoint::bind(far_, any());
  ASSERT_TRUE(first && second && sender);
  const Endpoint to_first{IpAddress::v4(10, 9, 0, 1), first->handle().local()->port};
  const Endpoint to_second{IpAddress::v4(10, 9, 0, 1), second->handle().local()->port};
  std::array<std::uint8_t, 16> octets_of_first{}, octets_of_second{};
  std::thread driver([&] { EXPECT_TRUE(first->receive(octets_of_first)); });
  std::this_thread::sleep_for(milliseconds(20));
  std::thread sleeper([&] { EXPECT_TRUE(second->receive(octets_of_second)); });
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_TRUE(sender->send_to(bytes("first"), to_first));
  driver.join();
  EXPECT_TRUE(sender->send_to(bytes("second"), to_second));
  sleeper.join();
}

// One thread waits for connections that do not come, and so would drive for ever; another is asked again and
// again.
TEST_P(TwoStacks, LetTheThreadDriveThatIsServed) {
  auto listener = TcpListener::listen(far_, any());
  ASSERT_TRUE(listener);
  const Port port = listener->handle().local()->port;
  struct Driving {
    std::atomic<std::thread::id> served;
    std::atomic<int> times = 0;
  };
  const auto driving = std::make_shared<Driving>();
  {
    const Session session(far_);
    auto* const device = dynamic_cast<DatagramSocketDevice*>(session.device(InterfaceId{2}));
    ASSERT_NE(device, nullptr);
    device->on_receive([driving] {
      if (std::this_thread::get_id() == driving->served) ++driving->times;
    });
  }
  std::thread server;
  std::thread acceptor([&] {
    auto stream = listener->accept();
    ASSERT_TRUE(stream);
    server = std::thread([&] {
      driving->served = std::this_thread::get_id();
      std::array<std::uint8_t, 64> buffer;
      for (auto count = stream->read(buffer); count && *count > 0; count = stream->read(buffer))
        ASSERT_TRUE(stream->write_all(Bytes(buffer).first(*count)));
    });
    EXPECT_TRUE(listener->accept()) << "who gave way is still served";
  });
  const auto start = steady_clock::now();
  {
    auto stream = TcpStream::connect(near_, far(port));
    ASSERT_TRUE(stream);
    while (driving->times < 100 && steady_clock::now() - start < std::chrono::seconds(20)) {
      ASSERT_TRUE(stream->write_all(bytes("?")));
      ASSERT_EQ(read_text(*stream, 1), "?");
    }
    EXPECT_GE(driving->times, 100);
  }
  EXPECT_TRUE(TcpStream::connect(near_, far(port)));
  acceptor.join();
  server.join();
}

// A timer that is set by another thread while the driver sleeps without one: the SYN to nobody must be sent
// again in time.
TEST_P(TwoStacks, WakeTheDriverForAnEarlierDeadline) {
  auto idle = UdpEndpoint::bind(near_, any());
  ASSERT_TRUE(idle);
  std::array<std::uint8_t, 16> octets{};
  std::thread driver([&] { EXPECT_FALSE(idle->receive(octets)); });
  std::this_thread::sleep_for(milliseconds(20));
  auto handle = SocketHandle::open(near_, {AF_INET, SOCK_STREAM, 0});
  ASSERT_TRUE(handle);
  EXPECT_TRUE(handle->set_non_blocking(true));
  {
    Session session(near_);
    // No such host: the neighbour does not answer, which takes three solicitations a second apart.
    EXPECT_EQ(handle->socket()->connect(session, {{IpAddress::v4(10, 9, 0, 77), Port{80}}}).error(),
              Errno{EINPROGRESS});
  }
  const auto start = steady_clock::now();
  int error = 0;
  while (error == 0 && steady_clock::now() - start < std::chrono::seconds(15)) {
    std::this_thread::sleep_for(milliseconds(50));
    error = *handle->get_option(SOL_SOCKET, SO_ERROR);
  }
  EXPECT_EQ(error, EHOSTUNREACH);
  idle->handle().close();
  driver.join();
}

// SO_SNDTIMEO ends the wait of a blocking connect(), not the attempt.
TEST_P(TwoStacks, GiveUpWaitingForAConnection) {
  auto handle = SocketHandle::open(near_, {AF_INET, SOCK_STREAM, 0});
  ASSERT_TRUE(handle);
  const timeval time{.tv_sec = 0, .tv_usec = 30000};
  const SocketAddress nobody{{IpAddress::v4(10, 9, 0, 77), Port{80}}};
  const auto connect = [&](Session& session, Socket& socket) { return socket.connect(session, nobody); };
  ASSERT_TRUE(handle->with_socket([&](Session& session, Socket& socket) {
    return socket.set_option(session, SOL_SOCKET, SO_SNDTIMEO,
                             Bytes(reinterpret_cast<const std::uint8_t*>(&time), sizeof time));
  }));
  EXPECT_EQ(handle->with_socket(connect).error(), Errno{EINPROGRESS});
  EXPECT_EQ(handle->with_socket(connect).error(), Errno{EALREADY});
}

TEST_P(TwoStacks, GiveWhatWaitsADeadline) {
  Session session(near_);
  Waiter waiter(session.loop());
  const Instant start = session.now();
  session.wait(waiter, start + milliseconds(30));
  EXPECT_FALSE(waiter.is_woken());
  EXPECT_GE(session.now() - start, milliseconds(30));
  EXPECT_LT(session.now() - start, milliseconds(5000));
}

TEST_P(TwoStacks, DrainWhatWasWrittenBeforeTheEnd) {
  auto listener = TcpListener::listen(far_, any());
  ASSERT_TRUE(listener);
  std::string much(3 << 20, 'd');
  std::size_t got = 0;
  std::thread reader([&] {
    auto stream = listener->accept();
    ASSERT_TRUE(stream);
    got = read_text(*stream, much.size()).size();
  });
  EXPECT_TRUE(near_.drain(std::chrono::seconds(0))) << "there is nothing";
  {
    auto stream = TcpStream::connect(near_, far(listener->handle().local()->port));
    ASSERT_TRUE(stream);
    ASSERT_TRUE(stream->write_all(bytes(much)));
  }
  EXPECT_TRUE(near_.drain(std::chrono::seconds(20)));
  reader.join();
  EXPECT_EQ(got, much.size());
}

// Two threads that wait for a descriptor each, as two supervisors of programs do: one drives, the other
// sleeps.
TEST(Stack, WakesASleeperByItsDescriptorEachTime) {
  Stack stack;
  const drivers::FileDescriptor calls(eventfd(0, EFD_NONBLOCK));
  const drivers::FileDescriptor answers(eventfd(0, 0));
  const drivers::FileDescriptor end(eventfd(0, EFD_NONBLOCK));
  const auto serve = [&stack](int descriptor, const std::function<bool()>& on_event) {
    Session session(stack);
    Waiter waiter(session.loop());
    const KernelWatch watch(waiter, descriptor);
    do {
      waiter.reset();
      session.wait(waiter, kNever);
    } while (on_event());
  };
  std::thread driver([&] { serve(end.get(), [] { return false; }); });
  std::this_thread::sleep_for(milliseconds(20));  // it is first; were it not, the test would see less
  constexpr int kTimes = 20;
  std::thread sleeper([&] {
    int times = 0;
    serve(calls.get(), [&] {
      eventfd_t value = 0;
      if (eventfd_read(calls.get(), &value) != 0) return true;
      eventfd_write(answers.get(), 1);
      return ++times < kTimes;
    });
  });
  for (int i = 0; i < kTimes; ++i) {
    eventfd_write(calls.get(), 1);
    pollfd answered{.fd = answers.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&answered, 1, 30000), 1) << "not woken the " << i << "th time";
    eventfd_t value = 0;
    eventfd_read(answers.get(), &value);
  }
  sleeper.join();
  eventfd_write(end.get(), 1);
  driver.join();
}

TEST(Stack, RefusesAnAddressTwice) {
  Stack stack;
  auto [near_end, far_end] = DatagramSocketDevice::make_pair();
  InterfaceOptions options{.name = "eth0", .conflict_detection = link::ConflictDetection::quick()};
  const InterfaceId interface = stack.add_device(std::move(near_end), options);
  EXPECT_EQ(static_cast<int>(interface), 2);
  EXPECT_TRUE(stack.add_address(interface, *IpPrefix::parse("10.9.0.1/24")));
  EXPECT_EQ(stack.add_address(interface, *IpPrefix::parse("10.9.0.1/24")).error(), Error::kAddressInUse);
  EXPECT_EQ(stack.add_address(InterfaceId{9}, *IpPrefix::parse("10.9.0.3/24")).error(), Error::kNoSuchDevice);
  Session session(stack);
  EXPECT_EQ(session.host().link().interface(interface)->name(), "eth0");
  EXPECT_NE(session.device(interface), nullptr);
  EXPECT_EQ(session.device(InterfaceId{1}), nullptr);
}

TEST(Stack, NoticesThatAnAddressIsTaken) {
  Stack near, far;
  auto [near_end, far_end] = DatagramSocketDevice::make_pair();
  InterfaceOptions options{.conflict_detection = link::ConflictDetection::quick()};
  const InterfaceId far_interface = far.add_device(std::move(far_end), options);
  ASSERT_TRUE(far.add_address(far_interface, *IpPrefix::parse("10.9.0.1/24")));
  ASSERT_TRUE(far.wait_for_addresses(std::chrono::seconds(5)));
  const InterfaceId near_interface = near.add_device(std::move(near_end), options);
  ASSERT_TRUE(near.add_address(near_interface, *IpPrefix::parse("10.9.0.1/24")));
  EXPECT_EQ(near.wait_for_addresses(std::chrono::seconds(5)).error(), Error::kAddressInUse);
}

}  // namespace
}  // namespace transom::sockets
