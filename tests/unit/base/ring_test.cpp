#include "stack/base/ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>

#include "stack/base/random.h"

namespace transom {
namespace {

TEST(Ring, DoesWhatADequeDoes) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed_from_number(seed));
    Ring<int> ring;
    std::deque<int> model;
    for (int step = 0; step < 300; ++step) {
      const auto place = [&](std::size_t count) { return random.below(count); };
      switch (random.below(seed % 2 == 0 ? 9U : 7U)) {  // half of the runs grow, half stay small
        case 0:
        case 1:
          ring.push_back(step), model.push_back(step);
          break;
        case 2:
          ring.push_front(step), model.push_front(step);
          break;
        case 3: {
          const std::size_t index = place(model.size() + 1);
          ring.insert(index, step);
          model.insert(model.begin() + static_cast<std::ptrdiff_t>(index), step);
          break;
        }
        case 4:
          if (!model.empty()) ring.pop_front(), model.pop_front();
          break;
        case 5:
          if (!model.empty()) ring.pop_back(), model.pop_back();
          break;
        case 6:
          if (!model.empty()) {
            const std::size_t index = place(model.size());
            ring.erase(index);
            model.erase(model.begin() + static_cast<std::ptrdiff_t>(index));
          }
          break;
        case 7: {
          Ring<int> moved = std::move(ring);
          EXPECT_TRUE(ring.empty());  // NOLINT(bugprone-use-after-move): that is the point
          ring = std::move(moved);
          break;
        }
        default:
          if (random.chance(0.05)) ring.clear(), model.clear();
      }
      ASSERT_EQ(ring.size(), model.size());
      ASSERT_EQ(ring.empty(), model.empty());
      for (std::size_t i = 0; i < model.size(); ++i) ASSERT_EQ(ring[i], model[i]) << "step " << step;
      if (!model.empty()) {
        ASSERT_EQ(ring.front(), model.front());
        ASSERT_EQ(ring.back(), model.back());
      }
    }
  }
}

TEST(Ring, LetsGoOfWhatIsPopped) {
  Ring<std::shared_ptr<int>> ring;
  const auto shared = std::make_shared<int>(1);
  ring.push_back(shared);
  ring.push_back(shared);
  ring.push_back(shared);
  EXPECT_EQ(shared.use_count(), 4);
  ring.pop_front();
  ring.pop_back();
  EXPECT_EQ(shared.use_count(), 2);
  ring.erase(0);
  EXPECT_EQ(shared.use_count(), 1);
}

}  // namespace
}  // namespace transom
