#include "drivers/judge/accurate_ecn_octets.h"

#include <algorithm>

namespace transom::drivers::judge {

namespace {

constexpr std::uint8_t kEct1 = 1, kEct0 = 2, kCe = 3;
constexpr std::uint64_t kValues = std::uint64_t{1} << 24;  // of a field

// RFC 9768 §3.2.1. Not zero, so that a field that was wiped out can be told.
constexpr std::uint64_t initial_of(std::uint8_t mark) { return mark == kCe ? 0 : 1; }

std::string_view name_of(std::uint8_t mark) {
  return mark == kCe ? "CE" : mark == kEct0 ? "ECT(0)" : "ECT(1)";
}

struct Option {
  bool has_ect1_first = false;
  Bytes fields;  // three octets each, three at most
};

std::optional<Option> option_of(const Segment& segment) {
  constexpr std::uint8_t kEnd = 0, kNoOperation = 1, kOrder0 = 172, kOrder1 = 174;
  const std::size_t begin = segment.view->transport_offset + wire::TcpHeader::kMinSize;
  const std::size_t end = std::min(segment.view->payload_offset, segment.packet->octets.size());
  if (begin >= end) return std::nullopt;
  const Bytes options = segment.packet->octets.subspan(begin, end - begin);
  for (std::size_t at = 0; at < options.size() && options[at] != kEnd;) {
    if (options[at] == kNoOperation) {
      ++at;
      continue;
    }
    if (at + 1 >= options.size()) return std::nullopt;
    const std::size_t length = options[at + 1];
    if (length < 2 || at + length > options.size()) return std::nullopt;
    if (options[at] == kOrder0 || options[at] == kOrder1)
      return Option{options[at] == kOrder1, options.subspan(at + 2, std::min<std::size_t>(length - 2, 9))};
    at += length;
  }
  return std::nullopt;
}

}  // namespace

void AccurateEcnOctets::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.is_copy) return;
  const bool is_followed = scene.agreed.ecn == Agreement::Ecn::kAccurate && scene.from.is_captured_here;
  if (is_followed && !segment.flags().rst && segment.ack) {
    OneSide& own = sides_[index_of(segment.side)];
    OneSide& peer = sides_[index_of(other(segment.side))];
    std::erase_if(peer.text, [&](const Text& text) {
      const bool has_come = text.end <= *segment.ack;
      if (has_come) own.acknowledged[text.mark] += static_cast<std::uint64_t>(text.end - text.begin);
      return has_come;
    });
    if (const auto option = option_of(segment)) {
      // RFC 9768 §3.2.3: fields at the end may be left out, whole ones.
      const std::array<std::uint8_t, 3> order =
          option->has_ect1_first ? std::array{kEct1, kCe, kEct0} : std::array{kEct0, kCe, kEct1};
      wire::Reader reader(option->fields);
      for (std::size_t i = 0; i < 3 && reader.remaining() >= 3; ++i) {
        const std::uint32_t high = reader.u8();
        judge_count(scene, order[i], high << 16 | reader.u16());
      }
    }
  }
  see(scene);
}

void AccurateEcnOctets::see(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.text_length() == 0) return;
  OneSide& side = sides_[index_of(segment.side)];
  const std::uint8_t mark = segment.ecn();
  const Text now{segment.text_begin, segment.text_end, mark};
  side.passed[mark] += segment.text_length();
  // Which of two copies came is not known, where they are marked or cut differently.
  std::erase_if(side.text, [&](const Text& text) {
    return (text.mark != mark || !segment.is_repeat) && text.begin < now.end && now.begin < text.end;
  });
  if (segment.is_repeat || segment.flags().syn) return;
  if (side.text.size() == kMaxText) side.text.pop_front();
  side.text.push_back(now);
}

void AccurateEcnOctets::judge_count(const Scene& scene, std::uint8_t mark, std::uint32_t field) {
  OneSide& own = sides_[index_of(scene.segment.side)];
  const OneSide& peer = sides_[index_of(other(scene.segment.side))];
  if (own.is_given_up) return;
  std::uint64_t& least = own.least[mark];
  least = std::max(least, own.acknowledged[mark]);
  const std::uint64_t most = peer.passed[mark];
  const std::uint64_t above = (field + 2 * kValues - (initial_of(mark) + least) % kValues) % kValues;
  if (above <= std::max(most, least) - least) {
    least += above;  // a count does not go back
    return;
  }
  own.is_given_up = true;
  scene.report.violation_if_complete(
      rule::kAceOctets, scene.segment,
      "the option says {} for {}; {} octets with that mark have passed, {} of them have surely come", field,
      name_of(mark), most, least);
}

}  // namespace transom::drivers::judge
