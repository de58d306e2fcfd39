// The queues of a connection against models: a string for what is in order, a map of octets for what is not.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "stack/base/random.h"
#include "stack/tcp/reassembly_queue.h"
#include "stack/tcp/receive_queue.h"
#include "stack/tcp/send_queue.h"

namespace transom::tcp {
namespace {

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string text_of(const Packet& packet) {
  std::string text(packet.size(), '\0');
  packet.copy_out(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return text;
}

std::string random_text(Random& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& letter : text) letter = static_cast<char>('a' + random.below(26));
  return text;
}

// Each seed is one run; its name says how to repeat it.
class Queues : public testing::TestWithParam<std::uint64_t> {
 protected:
  Payload payload(const std::string& text) { return Payload(pool_.copy_of(bytes_of(text))); }

  BufferPool pool_;
  Random random_{Seed{GetParam(), 11}};
};

TEST_P(Queues, SendQueueGivesBackWhatWasWritten) {
  SendQueue queue;
  std::string model;
  for (int step = 0; step < 300; ++step) {
    switch (random_.below(4)) {
      case 3: {
        const std::string text = random_text(random_, random_.below(40000));
        Slice slice = pool_.allocate_slice(BufferSize::kSuperFrame);
        ASSERT_EQ(slice.append(bytes_of(text)), text.size());
        queue.append(pool_, std::move(slice));
        model += text;
        break;
      }
      case 0: {
        const std::string text = random_text(random_, random_.below(5000));
        ASSERT_EQ(queue.append(pool_, bytes_of(text)), text.size());
        model += text;
        break;
      }
      case 1: {
        if (model.empty()) break;
        const auto offset = static_cast<std::uint32_t>(random_.below(model.size()));
        const auto length = static_cast<std::uint32_t>(1 + random_.below(model.size() - offset));
        Packet packet = pool_.allocate();
        const std::size_t attached = queue.attach(packet, offset, length);
        ASSERT_GT(attached, 0U);
        ASSERT_LE(attached, length);
        ASSERT_EQ(text_of(packet), model.substr(offset, attached));
        break;
      }
      default: {
        const auto gone = static_cast<std::uint32_t>(random_.below(model.size() + 1));
        queue.drop_front(gone);
        model.erase(0, gone);
        break;
      }
    }
    ASSERT_EQ(queue.size(), model.size()) << "step " << step;
  }
}

TEST_P(Queues, ReceiveQueueGivesBackWhatArrived) {
  ReceiveQueue queue;
  std::string model;
  for (int step = 0; step < 300; ++step) {
    if (random_.below(2) == 0) {
      const std::string text = random_text(random_, 1 + random_.below(3000));
      queue.append(pool_, payload(text));
      model += text;
    } else {
      const auto skip = static_cast<std::uint32_t>(random_.below(model.size() + 1));
      std::string out(random_.below(4000), '\0');
      const std::size_t copied = queue.copy({reinterpret_cast<std::uint8_t*>(out.data()), out.size()}, skip);
      ASSERT_EQ(copied, std::min(out.size(), model.size() - skip));
      ASSERT_EQ(out.substr(0, copied), model.substr(skip, copied));
      const auto gone = static_cast<std::uint32_t>(random_.below(model.size() + 1));
      queue.drop_front(gone);
      model.erase(0, gone);
    }
    ASSERT_EQ(queue.size(), model.size()) << "step " << step;
  }
}

// Segments of one stream of 4,000 octets arrive in any order, overlap, and differ where they overlap: what
// came first stays.
TEST_P(Queues, ReassemblyKeepsWhatCameFirst) {
  const SeqNum base(static_cast<std::uint32_t>(-2000));  // wraps in the middle
  constexpr std::uint32_t kStream = 4000;
  constexpr std::uint32_t kLimit = 1 << 20;
  ReassemblyQueue queue;
  std::map<std::uint32_t, char> model;
  std::uint32_t next = 0;  // rcv_nxt, from base
  for (int step = 0; step < 400 && next < kStream; ++step) {
    if (random_.below(4) != 0) {
      const auto begin = next + 1 + static_cast<std::uint32_t>(random_.below(kStream - next));
      const std::string text = random_text(random_, 1 + random_.below(200));
      std::uint32_t fresh = 0;
      for (std::uint32_t i = 0; i < text.size(); ++i)
        fresh += model.emplace(begin + i, text[i]).second ? 1 : 0;
      const auto inserted = queue.insert(pool_, base + begin, payload(text), kLimit);
      ASSERT_EQ(inserted.added, fresh) << "step " << step;
      ASSERT_EQ(inserted.duplicate.has_value(), fresh < text.size()) << "step " << step;
    } else {
      // The hole up to some octet is filled.
      next += 1 + static_cast<std::uint32_t>(random_.below(100));
      model.erase(model.begin(), model.lower_bound(next));
      while (auto run = queue.take_contiguous(base + next)) {
        ReceiveQueue taken;
        taken.append(pool_, run->slices);
        std::string text(taken.size(), '\0');
        taken.copy({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
        ASSERT_EQ(octets_between(base + next, run->end), text.size());
        for (const char letter : text) {
          ASSERT_TRUE(model.contains(next));
          ASSERT_EQ(model[next], letter);
          model.erase(next++);
        }
      }
      ASSERT_FALSE(model.contains(next)) << "what follows in order was not handed over";
    }
    ASSERT_EQ(queue.size(), model.size()) << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Queues, testing::Range<std::uint64_t>(0, 20),
                         [](const auto& seed) { return std::to_string(seed.param); });

class Reassembly : public testing::Test {
 protected:
  auto insert(std::uint32_t at, std::size_t size, std::uint32_t limit = 1 << 20) {
    return queue_.insert(pool_, SeqNum(at), Payload(pool_.copy_of(bytes_of(std::string(size, 'x')))), limit);
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> blocks(std::size_t room = 4) const {
    std::array<wire::SackBlock, 4> out;
    const std::size_t count = queue_.sack_blocks(std::span(out).first(room));
    std::vector<std::pair<std::uint32_t, std::uint32_t>> found;
    for (std::size_t i = 0; i < count; ++i) found.emplace_back(out[i].left.value(), out[i].right.value());
    return found;
  }

  BufferPool pool_;
  ReassemblyQueue queue_;
};

TEST_F(Reassembly, ReportsTheLatestRunFirst) {  // RFC 2018 §4
  insert(100, 10);
  insert(300, 10);
  insert(200, 10);
  using Blocks = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
  EXPECT_EQ(blocks(), (Blocks{{200, 210}, {300, 310}, {100, 110}}));
  insert(110, 10);
  EXPECT_EQ(blocks(2), (Blocks{{100, 120}, {200, 210}})) << "the run that grew is the latest";
}

TEST_F(Reassembly, JoinsRunsThatMeet) {
  insert(100, 10);
  insert(120, 10);
  insert(110, 10);
  ASSERT_EQ(blocks().size(), 1U);
  EXPECT_EQ(blocks()[0], std::make_pair(100U, 130U));
}

TEST_F(Reassembly, HoldsNoMoreThanItsLimitAndLetsTheFurthestGo) {
  for (std::uint32_t at = 1000; at > 0; at -= 100) insert(at, 50, 200);
  EXPECT_LE(queue_.size(), 200U);
  EXPECT_EQ(blocks().front().first, 100U) << "the nearest to rcv_nxt is kept";
}

TEST_F(Reassembly, ThousandsOfTinyRunsAreBounded) {  // ATK-TCP: reassembly with many holes
  for (std::uint32_t at = 2; at < 20'000; at += 2) insert(at, 1);
  EXPECT_LE(queue_.size(), 512U);
}

TEST_F(Reassembly, EmptyItHoldsNothing) {
  insert(100, 10);
  queue_.clear();
  EXPECT_TRUE(queue_.empty());
  EXPECT_TRUE(blocks().empty());
}

}  // namespace
}  // namespace transom::tcp
