// Which packets a wire loses, with the words of tc-netem(8):
//
//   1%                             each by itself
//   gemodel 1% 10% 70% 0.1%        Gilbert and Elliott: p, r, 1-h, 1-k; bursts
//   list 3 7 9-12                  these, counted from 1 in the order in which they are sent
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "stack/base/random.h"

namespace transom::drivers::sim {

struct LossModel {
  struct Burst {
    double to_bad = 0;        // p: from the good state to the bad one, at each packet
    double to_good = 1;       // r: back
    double loss_in_bad = 1;   // 1-h
    double loss_in_good = 0;  // 1-k
  };
  struct Range {
    std::uint64_t first, last;
  };

  double random = 0;
  std::vector<Burst> burst;  // none or one
  std::vector<Range> list;

  bool is_none() const { return random == 0 && burst.empty() && list.empty(); }
};

std::expected<LossModel, std::string> parse_loss(std::string_view text);

class LossProcess {
 public:
  explicit LossProcess(LossModel model);

  // Whether the next packet is lost.
  bool next(Random& random);

 private:
  LossModel model_;  // its list in order
  std::size_t next_range_ = 0;
  std::uint64_t count_ = 0;
  bool is_bad_ = false;
};

}  // namespace transom::drivers::sim
