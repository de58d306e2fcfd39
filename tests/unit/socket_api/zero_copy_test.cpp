// Sending and receiving without a copy, over the loopback interface of one stack.
#include "socket_api/zero_copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <string>
#include <thread>

#include "socket_api/cxx.h"

namespace transom::sockets {
namespace {

std::string text_at(std::size_t offset, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((offset + i) * 2654435761U >> 13);
  return text;
}

class ZeroCopy : public testing::Test {
 protected:
  void SetUp() override { connect(0); }

  // `receive_buffer`: of the server, octets; 0: tuned.
  void connect(int receive_buffer) {
    const Endpoint at{IpAddress::loopback(IpFamily::kIpv4), Port{7}};
    server_.reset();
    client_.reset();
    auto listener = TcpListener::listen(stack_, at);
    ASSERT_TRUE(listener);
    if (receive_buffer > 0) {
      ASSERT_TRUE(listener->handle().set_option(SOL_SOCKET, SO_RCVBUF, receive_buffer));
    }
    auto client = TcpStream::connect(stack_, at);
    ASSERT_TRUE(client);
    auto server = listener->accept();
    ASSERT_TRUE(server);
    client_ = std::make_unique<TcpStream>(std::move(*client));
    server_ = std::make_unique<TcpStream>(std::move(*server));
  }

  OutgoingBuffer filled(const std::string& text) {
    auto buffer = OutgoingBuffer::allocate(stack_);
    EXPECT_TRUE(buffer);
    EXPECT_GE(buffer->room().size(), text.size());
    std::memcpy(buffer->room().data(), text.data(), text.size());
    buffer->fill(text.size());
    return std::move(*buffer);
  }

  std::string take(ReceivedOctets& octets, std::size_t limit = SIZE_MAX) {
    const auto size = server_->read(octets, limit);
    EXPECT_TRUE(size);
    std::string text;
    for (const Bytes piece : octets.pieces()) text.append(piece.begin(), piece.end());
    EXPECT_EQ(text.size(), size.value_or(0));
    EXPECT_EQ(text.size(), octets.size());
    return text;
  }

  std::size_t large_buffers() {
    Session session(stack_);
    return session.host().context().pool.in_use(BufferSize::kSuperFrame);
  }

  Stack stack_;
  std::unique_ptr<TcpStream> client_;
  std::unique_ptr<TcpStream> server_;
};

TEST_F(ZeroCopy, CarriesEachOctetInItsPlace) {
  constexpr std::size_t kTotal = 20 << 20;
  std::thread sender([this] {
    std::size_t sent = 0;
    for (std::size_t turn = 0; sent < kTotal; ++turn) {
      // Whole buffers, short ones that are copied, and the copying call in between.
      const std::size_t size =
          std::min<std::size_t>(turn % 3 == 0 ? 65536 : 100 + turn * 7919 % 30000, kTotal - sent);
      const std::string text = text_at(sent, size);
      if (turn % 5 == 4) {
        ASSERT_TRUE(client_->write_all({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
      } else {
        ASSERT_TRUE(client_->write_all(filled(text)));
      }
      sent += size;
    }
    ASSERT_TRUE(client_->shutdown_write());
  });
  std::size_t received = 0;
  ReceivedOctets octets;
  while (true) {
    const std::string text = take(octets, received % 2 == 0 ? SIZE_MAX : 10001);
    if (text.empty()) break;
    ASSERT_EQ(text, text_at(received, text.size())) << "from octet " << received;
    received += text.size();
  }
  sender.join();
  EXPECT_EQ(received, kTotal);
}

TEST_F(ZeroCopy, SendsTheMemoryThatTheProgramFilled) {
  OutgoingBuffer buffer = filled(text_at(0, 40000));
  const OutgoingBuffer kept = buffer.share();
  EXPECT_TRUE(buffer.room().empty()) << "what is shared does not change any more";
  const std::size_t before = large_buffers();
  ASSERT_TRUE(client_->write_all(std::move(buffer)));
  ReceivedOctets octets;
  EXPECT_EQ(take(octets), text_at(0, 40000));
  EXPECT_EQ(large_buffers(), before) << "on the loopback interface not even the receiver has a copy";
  EXPECT_EQ(octets.pieces().front().data(), kept.bytes().data());
}

TEST_F(ZeroCopy, SharedOctetsAreSentAgain) {
  const std::string text = text_at(0, 50000);
  OutgoingBuffer buffer = filled(text);
  std::string all;
  ReceivedOctets octets;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client_->write_all(buffer.share()));
    while (all.size() < text.size() * static_cast<std::size_t>(i + 1)) all += take(octets);
  }
  EXPECT_EQ(all, text + text + text);
  EXPECT_EQ(buffer.bytes().size(), text.size());
}

TEST_F(ZeroCopy, WhatFindsNoRoomStaysWithTheProgram) {
  ASSERT_TRUE(client_->handle().set_non_blocking(true));
  std::size_t sent = 0;
  OutgoingBuffer buffer;
  while (true) {
    if (buffer.empty()) buffer = filled(text_at(sent, 60000));
    const auto taken = client_->write(buffer);
    if (!taken) {
      EXPECT_EQ(taken.error(), Errno{EAGAIN});
      break;
    }
    sent += *taken;
    const Bytes rest = buffer.bytes();
    EXPECT_EQ(std::string(rest.begin(), rest.end()), text_at(sent, rest.size()));
  }
  ASSERT_GT(sent, 0U);
  ASSERT_FALSE(buffer.empty());
  ReceivedOctets octets;
  std::size_t received = 0;
  while (received < sent) {
    const std::string text = take(octets);
    EXPECT_EQ(text, text_at(received, text.size()));
    received += text.size();
  }
  EXPECT_EQ(received, sent);
}

TEST_F(ZeroCopy, MemoryGoesBackOnceNobodyRefersToIt) {
  const std::size_t before = large_buffers();
  for (std::size_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(client_->write_all(filled(text_at(i, 65000))));
    ReceivedOctets octets;
    for (std::size_t received = 0; received < 65000;) received += take(octets).size();
  }
  server_->handle().close();  // and with it what waits for an acknowledgment
  client_->handle().close();
  EXPECT_TRUE(stack_.drain(std::chrono::seconds(5)));
  EXPECT_LE(large_buffers(), before);
}

TEST_F(ZeroCopy, ShortTextsDoNotHoldLargeBuffers) {
  const std::size_t before = large_buffers();
  std::string sent;
  for (std::size_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(client_->write_all(filled(text_at(i, 100))));
    sent += text_at(i, 100);
  }
  EXPECT_LE(large_buffers(), before + 2);
  std::string received;
  ReceivedOctets octets;
  while (received.size() < sent.size()) received += take(octets);
  EXPECT_EQ(received, sent);
}

TEST_F(ZeroCopy, WhatIsHeldClosesTheWindowAndWhatIsReleasedOpensIt) {
  connect(200000);
  ASSERT_TRUE(client_->handle().set_non_blocking(true));
  ASSERT_TRUE(server_->handle().set_non_blocking(true));
  const int buffer = *server_->handle().get_option(SOL_SOCKET, SO_RCVBUF);
  std::deque<ReceivedOctets> held;
  std::size_t in_hand = 0;
  OutgoingBuffer out;
  const auto write_on = [&] {
    std::size_t taken_now = 0;
    while (true) {
      if (out.empty()) out = filled(text_at(0, 60000));
      const auto taken = client_->write(out);
      if (!taken) return taken_now;
      taken_now += *taken;
    }
  };
  // Until nothing moves any more.
  const auto move_all = [&] {
    for (int idle = 0; idle < 3;) {
      const std::size_t written = write_on();
      ReceivedOctets octets;
      const auto size = server_->read(octets);
      if (size) {
        in_hand += *size;
        held.push_back(std::move(octets));
      }
      idle = written > 0 || size ? 0 : idle + 1;
    }
  };
  move_all();
  EXPECT_GT(in_hand, 0U);
  EXPECT_LE(in_hand, static_cast<std::size_t>(buffer)) << "more than the buffer has room for came in";
  const std::size_t first = in_hand;
  held.clear();
  in_hand = 0;
  move_all();
  EXPECT_GE(in_hand, first / 2) << "released octets did not open the window";
  EXPECT_LE(in_hand, static_cast<std::size_t>(buffer));
}

TEST_F(ZeroCopy, WhatIsHeldOutlivesTheSocket) {
  ASSERT_TRUE(client_->write_all(filled(text_at(0, 30000))));
  ReceivedOctets octets;
  const std::string text = take(octets);
  server_.reset();
  client_.reset();
  std::string after;
  for (const Bytes piece : octets.pieces()) after.append(piece.begin(), piece.end());
  EXPECT_EQ(after, text);
  ReceivedOctets moved(std::move(octets));
  EXPECT_TRUE(octets.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(moved.size(), text.size());
  moved.release();
  EXPECT_TRUE(moved.pieces().empty());
}

TEST_F(ZeroCopy, WhatWasTakenIsReadSoThatCloseIsNoReset) {
  ASSERT_TRUE(client_->write_all(filled(text_at(0, 30000))));
  ReceivedOctets octets;
  std::size_t received = 0;
  while (received < 30000) received += take(octets).size();
  server_->handle().close();
  std::array<std::uint8_t, 10> end{};
  const auto size = client_->read(end);
  ASSERT_TRUE(size) << "reset";
  EXPECT_EQ(*size, 0U);
}

TEST_F(ZeroCopy, TellsTheEndAndErrors) {
  client_->handle().close();
  ReceivedOctets octets;
  EXPECT_EQ(take(octets), "");
  EXPECT_EQ(server_->read(octets, 0).error(), Errno{EINVAL});
  OutgoingBuffer buffer = filled("text");
  EXPECT_EQ(client_->write(buffer).error(), Errno{EBADF});
  EXPECT_EQ(buffer.bytes().size(), 4U);

  Stack other;
  auto foreign = OutgoingBuffer::allocate(other);
  foreign->fill(100);
  EXPECT_EQ(server_->write(*foreign).error(), Errno{EINVAL}) << "a buffer of another stack";

  auto udp = SocketHandle::open(stack_, {AF_INET, SOCK_DGRAM, 0});
  ASSERT_TRUE(udp);
  TcpStream not_tcp(std::move(*udp));
  EXPECT_EQ(not_tcp.write(buffer).error(), Errno{EOPNOTSUPP});
  EXPECT_EQ(not_tcp.read(octets).error(), Errno{EOPNOTSUPP});
}

TEST_F(ZeroCopy, GivesNoBufferWhenTheStackIsShortOfThem) {
  Stack small({.buffers = {.frames = 256, .super_frames = 16}});
  std::vector<OutgoingBuffer> held;
  while (auto buffer = OutgoingBuffer::allocate(small)) {
    held.push_back(std::move(*buffer));
    ASSERT_LE(held.size(), 16U);
  }
  EXPECT_EQ(OutgoingBuffer::allocate(small).error(), Errno{ENOBUFS});
  EXPECT_LT(held.size(), 16U) << "nothing is left for the stack";
  held.pop_back();
  EXPECT_TRUE(OutgoingBuffer::allocate(small));
}

}  // namespace
}  // namespace transom::sockets
