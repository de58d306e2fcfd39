// Ladders as one SVG picture, or as an HTML page that needs nothing else.
#pragma once

#include <vector>

#include "drivers/judge/ladder.h"

namespace transom::drivers::judge {

struct Ladder {
  LadderHead head;
  struct Row {
    LadderStep step;
    std::vector<std::string> notes{};
    bool is_marked = false;
  };
  std::vector<Row> rows{};
};

std::string ladder_svg(const std::vector<Ladder>& ladders);
std::string ladder_html(const std::vector<Ladder>& ladders, std::string_view title);

}  // namespace transom::drivers::judge
