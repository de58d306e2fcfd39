#include "drivers/judge/state_diagram.h"

#include <fmt/format.h>

#include <algorithm>

namespace transom::drivers::judge {

using tcp::State;

StateDiagram::StateDiagram()
    : figure_{
          {State::kClosed, State::kListen, "passive OPEN"},
          {State::kClosed, State::kSynSent, "active OPEN / snd SYN"},
          {State::kListen, State::kSynReceived, "rcv SYN / snd SYN,ACK"},
          {State::kListen, State::kSynSent, "SEND / snd SYN"},
          {State::kSynSent, State::kSynReceived, "rcv SYN / snd SYN,ACK"},
          {State::kSynSent, State::kEstablished, "rcv SYN,ACK / snd ACK"},
          {State::kSynReceived, State::kEstablished, "rcv ACK of SYN"},
          {State::kSynReceived, State::kFinWait1, "CLOSE / snd FIN"},
          {State::kEstablished, State::kFinWait1, "CLOSE / snd FIN"},
          {State::kEstablished, State::kCloseWait, "rcv FIN / snd ACK"},
          {State::kFinWait1, State::kFinWait2, "rcv ACK of FIN"},
          {State::kFinWait1, State::kClosing, "rcv FIN / snd ACK"},
          {State::kFinWait1, State::kTimeWait, "rcv FIN, ACK of FIN / snd ACK"},
          {State::kFinWait2, State::kTimeWait, "rcv FIN / snd ACK"},
          {State::kClosing, State::kTimeWait, "rcv ACK of FIN"},
          {State::kCloseWait, State::kLastAck, "CLOSE / snd FIN"},
          {State::kLastAck, State::kClosed, "rcv ACK of FIN"},
          {State::kTimeWait, State::kClosed, "2 MSL"},
      } {}

void StateDiagram::count(const SegmentEvent& event) {
  for (const SegmentEvent::Move& move : event.moves) {
    const bool resets = event.segment->flags().rst;
    auto edge = std::ranges::find_if(figure_, [&](const StateEdge& known) {
      return known.from == move.change.from && known.to == move.change.to && !resets;
    });
    StateEdge* found = edge != figure_.end() ? &*edge : nullptr;
    if (found == nullptr) {
      found = &others_[{move.change.from, move.change.to}];
      found->from = move.change.from;
      found->to = move.change.to;
      found->cause = resets ? "reset" : "several steps at once";
      found->is_of_figure = false;
    }
    if (found->count++ == 0) found->first_frame = event.segment->frame();
  }
}

std::vector<StateEdge> StateDiagram::edges() const {
  std::vector<StateEdge> edges = figure_;
  for (const auto& [states, edge] : others_) edges.push_back(edge);
  return edges;
}

std::string StateDiagram::dot() const {
  std::string text =
      "digraph tcp {\n  // The states of RFC 9293; dot -Tsvg draws them.\n  node [shape=box, style=rounded, "
      "fontname=sans, fontsize=11]\n  edge [fontname=sans, fontsize=9]\n";
  std::map<State, bool> was_in;
  for (const StateEdge& edge : edges()) {
    was_in[edge.from] |= edge.count > 0;
    was_in[edge.to] |= edge.count > 0;
  }
  for (const auto& [state, visited] : was_in)
    text += fmt::format("  \"{}\" [{}]\n", tcp::to_string(state),
                        visited ? "penwidth=2" : "color=grey, fontcolor=grey");
  for (const StateEdge& edge : edges()) {
    const std::string style = edge.count == 0     ? "color=grey, fontcolor=grey"
                              : edge.is_of_figure ? "penwidth=2"
                                                  : "penwidth=2, style=dashed";
    const std::string label = edge.count == 0 ? std::string(edge.cause)
                                              : fmt::format("{}\\n{} times, first in frame {}", edge.cause,
                                                            edge.count, edge.first_frame);
    text += fmt::format("  \"{}\" -> \"{}\" [label=\"{}\", {}]\n", tcp::to_string(edge.from),
                        tcp::to_string(edge.to), label, style);
  }
  return text + "}\n";
}

}  // namespace transom::drivers::judge
