// Coroutines over sockets.
#include "socket_api/coroutines.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>

namespace transom::sockets {
namespace {

class Coroutines : public testing::Test {
 protected:
  static Endpoint loopback(std::uint16_t port) {
    return {IpAddress::loopback(IpFamily::kIpv4), static_cast<Port>(port)};
  }
  static Bytes octets(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }
  AsyncListener listen(std::uint16_t port) {
    auto listener = TcpListener::listen(stack_, loopback(port));
    EXPECT_TRUE(listener);
    return {scheduler_, std::move(*listener)};
  }

  Stack stack_;
  Scheduler scheduler_{stack_};
};

Task<void> echo(AsyncStream stream) {
  std::array<std::uint8_t, 512> buffer{};
  while (const auto size = co_await stream.read(buffer)) {
    if (*size == 0 || !co_await stream.write_all(Bytes(buffer).first(*size))) break;
  }
}

Task<void> serve(Scheduler& scheduler, AsyncListener listener, int clients) {
  for (int i = 0; i < clients; ++i) {
    auto stream = co_await listener.accept();
    EXPECT_TRUE(stream);
    if (stream) scheduler.spawn(echo(std::move(*stream)));
  }
}

Task<void> ask(Scheduler& scheduler, Endpoint server, std::size_t size, int& answered) {
  auto stream = co_await AsyncStream::connect(scheduler, server);
  EXPECT_TRUE(stream);
  if (!stream) co_return;
  const std::vector<std::uint8_t> sent(size, 'x');
  std::size_t received = 0;
  std::vector<std::uint8_t> buffer(4096);
  for (std::size_t written = 0; written < size;) {
    const auto part = std::min<std::size_t>(4096, size - written);
    EXPECT_TRUE(co_await stream->write_all(Bytes(sent).subspan(written, part)));
    written += part;
    while (received < written) {
      const auto got = co_await stream->read(buffer);
      if (!got || *got == 0) co_return;
      received += *got;
    }
  }
  answered += received == size ? 1 : 0;
}

TEST_F(Coroutines, TalkManyAtATimeInOneThread) {
  constexpr int kClients = 50;
  int answered = 0;
  scheduler_.spawn(serve(scheduler_, listen(7), kClients));
  for (int i = 0; i < kClients; ++i) scheduler_.spawn(ask(scheduler_, loopback(7), 20000, answered));
  scheduler_.run();
  EXPECT_EQ(answered, kClients);
}

Task<void> connect_to(Scheduler& scheduler, Endpoint server, std::optional<Errno>& error) {
  const auto stream = co_await AsyncStream::connect(scheduler, server);
  if (!stream) error = stream.error();
}

TEST_F(Coroutines, AreToldWhyAConnectionFails) {
  std::optional<Errno> error;
  scheduler_.spawn(connect_to(scheduler_, loopback(9), error));
  scheduler_.run();
  EXPECT_EQ(error, Errno{ECONNREFUSED});
}

Task<void> note(Scheduler& scheduler, int milliseconds, std::string& order) {
  co_await scheduler.sleep(std::chrono::milliseconds(milliseconds));
  order += static_cast<char>('0' + milliseconds / 10);
}

TEST_F(Coroutines, SleepAndWakeInOrder) {
  std::string order;
  for (const int time : {30, 10, 20}) scheduler_.spawn(note(scheduler_, time, order));
  scheduler_.run();
  EXPECT_EQ(order, "123");
}

Task<void> fail_soon(Scheduler& scheduler) {
  co_await scheduler.sleep(std::chrono::milliseconds(1));
  throw std::runtime_error("on purpose");
}
Task<void> await_failure(Scheduler& scheduler, std::string& what) {
  try {
    co_await fail_soon(scheduler);
  } catch (const std::runtime_error& error) {
    what = error.what();
  }
}

TEST_F(Coroutines, PassExceptionsToWhoAwaitsThem) {
  std::string what;
  scheduler_.spawn(await_failure(scheduler_, what));
  scheduler_.run();
  EXPECT_EQ(what, "on purpose");
  scheduler_.spawn(fail_soon(scheduler_));
  EXPECT_THROW(scheduler_.run(), std::runtime_error);
}

Task<void> wait_for_datagram(Scheduler& scheduler, UdpEndpoint endpoint, std::string& got) {
  (void)endpoint.handle().set_non_blocking(true);
  std::array<std::uint8_t, 100> buffer{};
  co_await scheduler.ready(endpoint.handle(), POLLIN);
  const auto from = endpoint.receive(buffer);
  if (from) got.assign(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(from->size));
}

TEST_F(Coroutines, WaitForAnyKindOfSocket) {
  auto receiver = UdpEndpoint::bind(stack_, loopback(53));
  auto sender = UdpEndpoint::bind(stack_, loopback(0));
  ASSERT_TRUE(receiver && sender);
  std::string got;
  scheduler_.spawn(wait_for_datagram(scheduler_, std::move(*receiver), got));
  EXPECT_TRUE(sender->send_to(octets("a datagram"), loopback(53)));
  scheduler_.run();
  EXPECT_EQ(got, "a datagram");
}

TEST_F(Coroutines, MayBeLeftUnfinished) {
  Scheduler scheduler(stack_);
  scheduler.spawn(serve(scheduler, listen(7), 1));
}

TEST(RawEndpoints, HearWhatTheySend) {
  Stack stack;
  auto endpoint = RawEndpoint::open(stack, IpFamily::kIpv6, IpProtocol{253});
  ASSERT_TRUE(endpoint);
  const std::string text = "raw";
  EXPECT_TRUE(endpoint->send_to({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()},
                                IpAddress::loopback(IpFamily::kIpv6)));
  std::array<std::uint8_t, 100> buffer{};
  const auto from = endpoint->receive(buffer);
  ASSERT_TRUE(from);
  EXPECT_EQ(from->size, 3U);
  EXPECT_EQ(from->source.address, IpAddress::loopback(IpFamily::kIpv6));
}

TEST(Endpoints, HaveAddressesAndTimeouts) {
  Stack stack;
  const Endpoint any{IpAddress::loopback(IpFamily::kIpv4), Port::kNone};
  auto listener = TcpListener::listen(stack, any);
  ASSERT_TRUE(listener);
  const auto local = listener->handle().local();
  ASSERT_TRUE(local);
  EXPECT_TRUE(listener->handle().set_receive_timeout(std::chrono::milliseconds(10)));
  const auto late = listener->accept();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error(), Errno{EAGAIN});
  auto client = TcpStream::connect(stack, *local);
  ASSERT_TRUE(client);
  EXPECT_TRUE(client->set_no_delay(true));
  EXPECT_EQ(client->handle().get_option(IPPROTO_TCP, TCP_NODELAY), 1);
  auto server = listener->accept();
  ASSERT_TRUE(server);
  EXPECT_EQ(server->handle().remote(), client->handle().local());
  const std::string text = "a whole message";
  EXPECT_TRUE(client->write_all({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
  std::vector<std::uint8_t> buffer(text.size());
  EXPECT_TRUE(server->read_exactly(buffer));
  EXPECT_EQ(std::string(buffer.begin(), buffer.end()), text);
  client->handle().close();
  EXPECT_EQ(server->read_exactly(buffer), std::unexpected(Errno{ECONNRESET})) << "it ended before";
}

}  // namespace
}  // namespace transom::sockets
