#include "drivers/replay/datagram_exchange.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/replay/icmp_errors.h"
#include "drivers/replay/ip_octets.h"
#include "stack/wire/icmp.h"

namespace transom::drivers::replay {

namespace {

constexpr Duration kRetry = std::chrono::milliseconds(100);
constexpr std::size_t kKeptPackets = 10;
constexpr std::size_t kKeptDifferences = 10;
constexpr std::size_t kWindow = 256;  // of recorded datagrams that what comes is looked for in

std::size_t first_difference(Bytes a, Bytes b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// Port unreachable.
bool is_refusal(const Arrival& arrival) {
  const auto& octets = arrival.saying.octets;
  if (arrival.protocol != IpProtocol::kUdp || !arrival.saying.kind.starts_with("ICMP")) return false;
  return arrival.remote.address.is_v4() ? octets[0] == 3 && octets[1] == 3 : octets[0] == 1 && octets[1] == 4;
}

}  // namespace

DatagramExchange::DatagramExchange(const DatagramScript& script, const LiveOptions& options, Pacing& pacing,
                                   const Endpoint& ours, const Endpoint& theirs, std::uint32_t identification,
                                   DatagramWay& way)
    : script_(script),
      options_(options),
      pacing_(pacing),
      ours_(ours),
      theirs_(theirs),
      rewriter_(script, ours, theirs, identification),
      way_(way),
      came_(script.expected.size()) {}

void DatagramExchange::start(Instant now) {
  anchor_ = last_step_ = heard_at_ = last_progress_ = now;
  run(now);
}

// ---------------------------------------------------------------- what comes

// The first that has not come and says the same; else the first of its kind.
std::optional<std::size_t> DatagramExchange::find(const Arrival& arrival) const {
  const std::size_t end = std::min(script_.expected.size(), std::max(low_, reached_) + kWindow);
  std::optional<std::size_t> alike;
  for (std::size_t i = low_; i < end; ++i) {
    if (came_[i]) continue;
    if (script_.expected[i].equals(arrival.saying.octets)) return i;
    if (!alike && script_.expected[i].saying.kind == arrival.saying.kind) alike = i;
  }
  return alike;
}

void DatagramExchange::receive(const Arrival& arrival, Instant now) {
  note(fmt::format("< {}, {} octets", arrival.saying.kind, arrival.saying.octets.size()), now);
  const auto found = find(arrival);
  if (!found && is_refusal(arrival) && script_.is_opener && reached_ == 0 &&
      state_ == LiveState::kRunning) {  // nobody has the port yet
    was_refused_ = true;
    next_ = 0;
    retry_at_ = now + kRetry;
    return;
  }
  last_progress_ = heard_at_ = now;
  latest_ = arrival;
  const bool is_equal = found && script_.expected[*found].equals(arrival.saying.octets);
  if (!is_equal) {
    const std::size_t begin = reached_ > kWindow ? reached_ - kWindow : 0;
    for (std::size_t i = reached_; i-- > begin;) {
      if (!came_[i] || came_[i]->saying.octets != arrival.saying.octets) continue;
      ++again_;
      return answer_again(i, now);
    }
  }
  if (!found) {
    ++added_;
    tell(fmt::format("not recorded: {}, {} octets", arrival.saying.kind, arrival.saying.octets.size()));
    return;
  }
  const ExpectedDatagram& expected = script_.expected[*found];
  if (is_equal) {
    ++equal_;
  } else {
    ++changed_;
    const auto& octets = expected.saying.octets;
    tell(fmt::format("packet {}: {} of {} octets, {} now; they differ at {}", expected.number,
                     expected.saying.kind, octets.size(), arrival.saying.octets.size(),
                     first_difference(octets, arrival.saying.octets)));
  }
  came_[*found] = arrival;
  reached_ = std::max(reached_, *found + 1);
  while (low_ < came_.size() && came_[low_]) ++low_;
  run(now);
}

// The answer was lost on the way, or is late.
void DatagramExchange::answer_again(std::size_t expected, Instant now) {
  for (std::size_t i = 0; i < next_; ++i)
    if (script_.steps[i].awaits == expected + 1) play(script_.steps[i], now);
}

// ---------------------------------------------------------------- what is due

bool DatagramExchange::is_heard(const DatagramStep& step) const {
  return step.awaits <= reached_ || (options_.when == When::kRecorded && (script_.is_opener || reached_ > 0));
}

Instant DatagramExchange::due(const DatagramStep& step) const {
  const Instant instant =
      options_.when == When::kCausal
          ? std::max(last_step_, step.awaits > 0 ? heard_at_ : last_step_) + pacing_.gap(step.think)
          : anchor_ + pacing_.gap(step.time);
  return std::max({instant, pacing_.earliest(anchor_), retry_at_});
}

void DatagramExchange::run(Instant now) {
  if (state_ != LiveState::kRunning || anchor_ == kNever) return;
  while (next_ < script_.steps.size()) {
    const DatagramStep& step = script_.steps[next_];
    if (!is_heard(step) || now < due(step)) break;
    ++next_;
    pacing_.took_step();
    play(step, now);
    last_step_ = now;
    if (!was_refused_ || reached_ > 0) last_progress_ = now;
  }
  if (next_ == script_.steps.size() && lost() == 0) state_ = LiveState::kDone;
  if (state_ == LiveState::kRunning && stall_at() <= now) state_ = LiveState::kStalled;
}

// Thinking is no stall.
Instant DatagramExchange::stall_at() const {
  const Instant stall = last_progress_ + options_.stall;
  if (next_ == script_.steps.size() || !is_heard(script_.steps[next_]) || (was_refused_ && reached_ == 0))
    return stall;
  const Instant next = due(script_.steps[next_]);
  return next == kNever ? kNever : std::max(stall, next + options_.stall);
}

Instant DatagramExchange::next_deadline() const {
  if (state_ != LiveState::kRunning || anchor_ == kNever) return kNever;
  Instant next = stall_at();
  if (next_ < script_.steps.size() && is_heard(script_.steps[next_]))
    next = std::min(next, due(script_.steps[next_]));
  return next;
}

// ---------------------------------------------------------------- what is sent

void DatagramExchange::play(const DatagramStep& step, Instant now) {
  if (step.is_part_of_echo) return;  // it went with its first fragment
  note(fmt::format("> {}, {} octets (packet {})", step.kind, step.octets.size(), step.number), now);
  if (!send(step)) {
    ++unsendable_;
    return tell(fmt::format("packet {}: there is no way for its {} octets", step.number, step.octets.size()));
  }
  ++sent_;
  pacing_.sent(step.octets.size());
}

bool DatagramExchange::send(const DatagramStep& step) {
  if (step.echoes && came_[*step.echoes]) return send_echo(*came_[*step.echoes]);
  if (step.is_error && latest_) return send_error(step);
  const bool is_answer = step.awaits > 0 && came_[step.awaits - 1];
  const Arrival* const asked = is_answer ? &*came_[step.awaits - 1] : latest_ ? &*latest_ : nullptr;
  const Endpoint* const partner = asked != nullptr ? &asked->remote : nullptr;
  const auto packet = is_answer ? rewriter_.packet_of(step, &script_.expected[step.awaits - 1],
                                                      came_[step.awaits - 1]->saying.octets, partner)
                                : rewriter_.packet_of(step, nullptr, {}, partner);
  const auto view = PacketView::parse(captured(packet));
  return view && way_.send_packet(packet, view->destination);
}

// RFC 792: the data of the request that has come, whatever the recorded one carried.
bool DatagramExchange::send_echo(const Arrival& request) {
  std::vector<std::uint8_t> message(request.packet.begin() + static_cast<std::ptrdiff_t>(request.header_size),
                                    request.packet.end());
  message[0] = request.protocol == IpProtocol::kIcmp ? 0 : 129;
  fill_in_icmp_checksum(request.protocol, ours_.address, theirs_.address, message);
  return way_.send_message(request.protocol, ours_.address, theirs_.address, message);
}

// As much of the packet that came last as the recorded error quoted of its one.
bool DatagramExchange::send_error(const DatagramStep& step) {
  const std::size_t recorded_header =
      step.octets[0] >> 4 == 4 ? std::size_t{step.octets[0] & 0xfU} * 4 : wire::Ipv6Header::kSize;
  if (step.octets.size() < recorded_header + wire::IcmpHeader::kSize) return false;
  const Bytes recorded = Bytes(step.octets).subspan(recorded_header);
  std::vector<std::uint8_t> message(recorded.begin(), recorded.begin() + wire::IcmpHeader::kSize);
  const std::size_t quoted = std::min(recorded.size() - message.size(), latest_->packet.size());
  message.insert(message.end(), latest_->packet.begin(),
                 latest_->packet.begin() + static_cast<std::ptrdiff_t>(quoted));
  const IpProtocol protocol = ours_.address.is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmpv6;
  fill_in_icmp_checksum(protocol, ours_.address, theirs_.address, message);
  return way_.send_message(protocol, ours_.address, theirs_.address, message);
}

// ---------------------------------------------------------------- words

std::string DatagramExchange::awaited() const {
  if (was_refused_ && reached_ == 0) return "an answer; the peer says that nobody has the port";
  if (next_ < script_.steps.size()) {
    const DatagramStep& step = script_.steps[next_];
    if (!is_heard(step))
      return fmt::format(
          "the peer's datagram {} of {}, that of packet {} (packet {} answers it); {} have come", step.awaits,
          script_.expected.size(), script_.expected[step.awaits - 1].number, step.number, equal_ + changed_);
  }
  if (low_ < script_.expected.size())
    return fmt::format("the peer's datagram of packet {}; {} of {} have come", script_.expected[low_].number,
                       equal_ + changed_, script_.expected.size());
  return "nothing";
}

void DatagramExchange::tell(std::string difference) {
  if (differences_.size() < kKeptDifferences) differences_.push_back(std::move(difference));
}

void DatagramExchange::note(std::string line, Instant now) {
  if (last_packets_.size() >= kKeptPackets) last_packets_.pop_front();
  const double seconds = anchor_ == kNever ? 0.0 : std::chrono::duration<double>(now - anchor_).count();
  last_packets_.push_back(fmt::format("{:>10.6f} {}", seconds, line));
}

}  // namespace transom::drivers::replay
