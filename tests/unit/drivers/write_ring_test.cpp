#include "drivers/write_ring.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "drivers/file_descriptor.h"

namespace transom::drivers {
namespace {

class WriteRingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!ring) GTEST_SKIP() << "the kernel has no io_uring for us";
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends.data()), 0);
    near = FileDescriptor(ends[0]);
    far = FileDescriptor(ends[1]);
  }
  std::string next() {
    std::array<char, 100> text{};
    const ssize_t size = read(far.get(), text.data(), text.size());
    return size < 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(size));
  }

  std::unique_ptr<WriteRing> ring = WriteRing::open();
  FileDescriptor near, far;
};

iovec piece(std::string& text) { return {text.data(), text.size()}; }

TEST_F(WriteRingTest, WritesAllInOrder) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < WriteRing::kMaxWrites; ++i) texts.push_back("frame " + std::to_string(i));
  std::string tail = " and its tail";
  std::vector<std::array<iovec, 2>> pieces;
  for (std::string& text : texts) pieces.push_back({piece(text), piece(tail)});
  std::vector<WriteRing::Write> writes;
  for (const auto& both : pieces) writes.push_back({both});
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(ring->write(near.get(), writes));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(writes[i].result, static_cast<int>(texts[i].size() + tail.size()));
      EXPECT_EQ(next(), texts[i] + tail);
    }
  }
}

TEST_F(WriteRingTest, SaysWhatFoundTheDescriptorFull) {
  std::string text(1000, 'x');
  const iovec whole = piece(text);
  while (write(near.get(), text.data(), text.size()) > 0) {
  }
  std::array<WriteRing::Write, 2> writes{WriteRing::Write{{&whole, 1}}, WriteRing::Write{{&whole, 1}}};
  ASSERT_TRUE(ring->write(near.get(), writes));
  EXPECT_EQ(writes[0].result, -EAGAIN);
  EXPECT_EQ(writes[1].result, -EAGAIN);
}

TEST_F(WriteRingTest, SaysWhatIsWrongWithADescriptor) {
  std::string text = "x";
  const iovec whole = piece(text);
  std::array<WriteRing::Write, 1> writes{WriteRing::Write{{&whole, 1}}};
  ASSERT_TRUE(ring->write(-1, writes));
  EXPECT_EQ(writes[0].result, -EBADF);
}

}  // namespace
}  // namespace transom::drivers
