// The state diagram of RFC 9293 (figure 5), with how often each edge was gone.
#pragma once

#include <map>
#include <vector>

#include "drivers/judge/judge_options.h"

namespace transom::drivers::judge {

struct StateEdge {
  tcp::State from{}, to{};
  std::string_view cause;    // "rcv FIN / snd ACK"
  bool is_of_figure = true;  // or one that the figure leaves out, as resets
  std::uint64_t count = 0;
  std::uint64_t first_frame = 0;  // 0: never gone
};

class StateDiagram {
 public:
  StateDiagram();
  void count(const SegmentEvent& event);

  // Those of the figure in its order, then the others that were gone.
  std::vector<StateEdge> edges() const;
  // For Graphviz: edges that were gone are bold and have their count, the others grey.
  std::string dot() const;

 private:
  std::vector<StateEdge> figure_;
  std::map<std::pair<tcp::State, tcp::State>, StateEdge> others_;
};

}  // namespace transom::drivers::judge
