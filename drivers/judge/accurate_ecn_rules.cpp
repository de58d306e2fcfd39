#include "drivers/judge/accurate_ecn_rules.h"

#include <algorithm>

namespace transom::drivers::judge {

namespace {

constexpr std::uint8_t kCe = 3;
constexpr std::uint64_t kInitial = 5;  // of the counter
constexpr std::uint64_t kValues = 8;   // of the field

// The field of AE, CWR and ECE.
std::uint8_t ace_of(const wire::TcpFlags& flags) {
  return static_cast<std::uint8_t>((flags.ae ? 4 : 0) | (flags.cwr ? 2 : 0) | (flags.ece ? 1 : 0));
}

// RFC 9768 §3.1.1, §3.2.2.1: how a packet of the handshake says how the other's was marked.
std::uint8_t handshake_ace(std::size_t mark) {
  constexpr std::array<std::uint8_t, 4> kEncoded{0b010, 0b011, 0b100, 0b110};
  return kEncoded[mark];
}

bool says_one_of(std::uint8_t ace, std::uint8_t marks) {
  for (std::size_t mark = 0; mark < 4; ++mark)
    if ((marks >> mark & 1) != 0 && handshake_ace(mark) == ace) return true;
  return false;
}

}  // namespace

void AccurateEcnRules::judge(const Scene& scene) {
  const Segment& segment = scene.segment;
  if (segment.is_copy) return;
  const wire::TcpFlags& flags = segment.flags();
  if (flags.syn && flags.ack) judge_syn_ack(scene);
  if (!flags.syn && !flags.rst && flags.ack && scene.agreed.ecn == Agreement::Ecn::kAccurate) {
    judge_answer(scene);
    judge_count(scene);
  }
  see(scene);
}

void AccurateEcnRules::see(const Scene& scene) {
  const Segment& segment = scene.segment;
  OneSide& side = sides_[index_of(segment.side)];
  if (segment.flags().syn) {
    side.syn_marks = static_cast<std::uint8_t>(side.syn_marks | 1U << segment.ecn());
    ++side.syns;
  } else if (!segment.flags().rst) {
    side.has_answered = true;
  }
  const Position begin = segment.text_begin, end = segment.text_end;
  if (segment.ecn() != kCe) {  // then perhaps this copy is the one that came
    std::erase_if(side.text, [&](const Marked& marked) { return marked.begin < end && begin < marked.end; });
    return;
  }
  ++side.marked;
  // A device that joins segments makes one packet of several.
  const bool may_be_joined = scene.has_offload && segment.text_length() > 1;
  side.marked_if_joined += may_be_joined ? kValues : 1;
  if (end == begin || segment.is_repeat || segment.flags().syn) return;
  if (side.text.size() == kMaxText) side.text.pop_front();
  side.text.push_back({begin, end});
}

void AccurateEcnRules::judge_syn_ack(const Scene& scene) {
  const Segment& segment = scene.segment;
  const auto asks = [](const wire::TcpHeader& syn) {
    return !syn.flags.ack && syn.flags.ae && syn.flags.cwr && syn.flags.ece;
  };
  const std::uint8_t ace = ace_of(segment.flags());
  const bool is_such_an_answer = ace == 0b010 || ace == 0b011 || ace == 0b100 || ace == 0b110;
  const std::uint8_t marks = sides_[index_of(other(segment.side))].syn_marks;
  if (!any_syn(scene.to, asks) || !is_such_an_answer || marks == 0 || !scene.from.is_captured_here) return;
  if (!says_one_of(ace, marks))
    scene.report.violation_if_complete(rule::kAceHandshake, segment,
                                       "the SYN-ACK says {:03b}, which is not how the SYN was marked", ace);
}

// The acknowledgment of the SYN-ACK: known for certain while nothing else has passed.
void AccurateEcnRules::judge_answer(const Scene& scene) {
  const Segment& segment = scene.segment;
  const OneSide& own = sides_[index_of(segment.side)];
  const OneSide& peer = sides_[index_of(other(segment.side))];
  const bool is_client = scene.from.is_from_start() && !scene.from.syn().flags.ack;
  if (!is_client || own.has_answered || !segment.is_pure_ack() || segment.begin != 1 || segment.ack != 1 ||
      peer.syn_marks == 0 || !scene.from.is_captured_here)
    return;
  const std::uint8_t ace = ace_of(segment.flags());
  if (!says_one_of(ace, peer.syn_marks))
    scene.report.violation_if_complete(
        rule::kAceHandshake, segment, "the answer says {:03b}, which is not how the SYN-ACK was marked", ace);
}

void AccurateEcnRules::judge_count(const Scene& scene) {
  const Segment& segment = scene.segment;
  OneSide& own = sides_[index_of(segment.side)];
  OneSide& peer = sides_[index_of(other(segment.side))];
  // A SYN-ACK that comes again is answered as the first was, whenever that is (RFC 9768 §3.2.2.1).
  if (peer.syns > 1 || own.syns > 1) own.is_given_up = true;
  if (own.is_given_up || !scene.from.is_captured_here) return;
  std::erase_if(peer.text, [&](const Marked& marked) {
    const bool has_come = marked.end <= *segment.ack;
    own.acknowledged += has_come ? 1 : 0;
    return has_come;
  });
  own.least = std::max(own.least, own.acknowledged);
  const bool is_client = !scene.from.syn().flags.ack;
  if (is_client && *segment.ack <= 1) return;  // perhaps it answers the SYN-ACK
  const std::uint8_t ace = ace_of(segment.flags());
  const auto fits = [&](std::uint64_t most) {
    for (std::uint64_t count = own.least; count <= most && count < own.least + kValues; ++count)
      if ((kInitial + count) % kValues == ace) return true;
    return false;
  };
  if (fits(std::max(peer.marked, own.least))) {
    while ((kInitial + own.least) % kValues != ace) ++own.least;  // a count does not go back
    return;
  }
  own.is_given_up = true;
  const std::string text =
      fmt::format("the field says {:03b}; {} marked packets have passed, {} of them have surely come", ace,
                  peer.marked, own.least);
  if (fits(std::max(peer.marked_if_joined, own.least)))
    scene.report.unknown(rule::kAceCount, segment, "{}; or a device has joined some", text);
  else
    scene.report.violation_if_complete(rule::kAceCount, segment, "{}", text);
}

}  // namespace transom::drivers::judge
