#include "drivers/judge/ladder.h"

#include <fmt/format.h>

#include <algorithm>

namespace transom::drivers::judge {

namespace {

// As tcpdump: S, F, P, R, U, W (CWR), E (ECE), and a dot for ACK.
std::string flags_text(const wire::TcpFlags& flags) {
  std::string text;
  if (flags.syn) text += 'S';
  if (flags.fin) text += 'F';
  if (flags.psh) text += 'P';
  if (flags.rst) text += 'R';
  if (flags.urg) text += 'U';
  if (flags.cwr) text += 'W';
  if (flags.ece) text += 'E';
  if (flags.ack) text += '.';
  return text.empty() ? "none" : text;
}

std::string segment_text(const Segment& segment, const StreamNumbers& peer) {
  const wire::TcpHeader& header = segment.header();
  std::string text = flags_text(header.flags);
  if (segment.text_length() > 0)
    text += fmt::format(" {}:{} ({})", segment.text_begin, segment.text_end, segment.text_length());
  else if (segment.end > segment.begin || header.flags.rst)
    text += fmt::format(" {}", segment.begin);
  if (segment.ack) text += fmt::format(" ack {}", *segment.ack);
  text += fmt::format(" win {}", segment.window.value_or(header.window));
  const wire::TcpOptions& options = header.options;
  if (options.sack_count > 0) {
    text += " sack";
    for (const wire::SackBlock& block : options.sacks())
      text += fmt::format(" {}:{}", peer.position(block.left), peer.position(block.right));
  }
  if (header.flags.syn) {
    if (options.maximum_segment_size) text += fmt::format(" mss {}", *options.maximum_segment_size);
    if (options.sack_permitted) text += " sackOK";
    if (options.timestamps) text += " TS";
    if (options.window_scale) text += fmt::format(" wscale {}", *options.window_scale);
    if (options.fast_open) text += " tfo";
  }
  if (segment.ecn() == 3) text += " CE";
  if (segment.is_copy)
    text += " copy";
  else if (segment.is_repeat)
    text += " again";
  return text;
}

constexpr std::size_t kStateColumns = 13, kTimeColumns = 11, kFrameColumns = 6;

}  // namespace

LadderStep step_of(const SegmentEvent& event) {
  const Segment& segment = *event.segment;
  LadderStep step{.connection = event.connection,
                  .frame = segment.frame(),
                  .time = segment.time(),
                  .from = segment.side,
                  .text = segment_text(segment, event.to->numbers)};
  for (const SegmentEvent::Move& move : event.moves)
    step.states[index_of(move.side)] = tcp::to_string(move.change.to);
  step.is_repeat = segment.is_repeat && !segment.is_copy;
  step.is_copy = segment.is_copy;
  return step;
}

LadderHead head_of(const SegmentEvent& event) {
  LadderHead head{.connection = event.connection};
  head.ends[index_of(event.segment->side)] = to_string(event.from->address);
  head.ends[index_of(other(event.segment->side))] = to_string(event.to->address);
  return head;
}

LadderText::LadderText(std::size_t width)
    : arrow_(std::max<std::size_t>(width, 60 + kFrameColumns) - kFrameColumns - kTimeColumns -
             2 * kStateColumns - 4) {}

std::string LadderText::head(const LadderHead& head) const {
  const std::size_t left = kFrameColumns + kTimeColumns + 2;
  return fmt::format("{:>{}}  {:<{}}{:>{}}\n", "", left - 2, head.ends[0], kStateColumns + arrow_ / 2,
                     head.ends[1], kStateColumns + arrow_ - arrow_ / 2 + 2);
}

std::string LadderText::line(const LadderStep& step, Duration origin, char mark) const {
  const double seconds = std::chrono::duration<double>(step.time - origin).count();
  std::string text = step.text;
  const std::size_t room = arrow_ - 6;
  if (text.size() > room) text = text.substr(0, room - 2) + "..";
  const std::string dashes(arrow_ - 4 - text.size() - 1, '-');
  const std::string arrow = step.from == Side::kFirst ? fmt::format("-- {} {}>", text, dashes.substr(1))
                                                      : fmt::format("<- {} {}", text, dashes);
  return fmt::format("{}{:>{}}{:>{}.6f} {:>{}} |{}| {}\n", mark, step.frame, kFrameColumns - 1, seconds,
                     kTimeColumns, step.states[0], kStateColumns, arrow, step.states[1]);
}

std::string LadderText::note(std::string_view text) const {
  return fmt::format("{:>{}}{}\n", "", kFrameColumns + kTimeColumns + kStateColumns + 3, text);
}

}  // namespace transom::drivers::judge
