#include "drivers/fault_line.h"

#include "drivers/frame_damage.h"
#include "drivers/frame_layout.h"
#include "stack/wire/ethernet.h"

namespace transom::drivers {

namespace {

constexpr std::size_t kMaxHeld = 64;
constexpr std::size_t kMaxDelayed = 16384;
constexpr std::uint64_t kMaxOvertaking = 3;
constexpr Duration kMaxHold = std::chrono::milliseconds(2);

}  // namespace

FaultLine::FaultLine(const FaultOptions& options, std::uint64_t number, link::LinkType type)
    : options_(options),
      type_(type),
      random_(Random(seed_from_number(options.seed ^ (number << 32))).key()) {}

void FaultLine::put(Packet frame, Instant now) {
  ++statistics_.frames;
  release_held(now, false);
  if (random_.chance(options_.loss)) {
    ++statistics_.lost;
    return;
  }
  if (random_.chance(options_.duplicate)) {
    if (Packet copy = frame.clone()) {
      ++statistics_.duplicated;
      damage_and_queue(std::move(copy), now);
    }
  }
  damage_and_queue(std::move(frame), now);
}

void FaultLine::damage_and_queue(Packet frame, Instant now) {
  if (random_.chance(options_.corrupt) && corrupt(frame)) ++statistics_.corrupted;
  if (random_.chance(options_.truncate) && truncate(frame)) ++statistics_.truncated;
  if (random_.chance(options_.reorder) && held_.size() < kMaxHeld) {
    ++statistics_.reordered;
    held_.push_back({std::move(frame), 1 + random_.below(kMaxOvertaking), now + kMaxHold});
    return;
  }
  enqueue(std::move(frame), now);
  release_held(now, true);
}

bool FaultLine::corrupt(Packet& frame) {
  const auto ip_offset = ip_offset_of(frame.head(), type_);
  if (!ip_offset || frame.size() <= *ip_offset) return false;
  return flip_bit(frame, type_, random_.below((frame.size() - *ip_offset) * 8));
}

bool FaultLine::truncate(Packet& frame) {
  const std::size_t least = type_ == link::LinkType::kEthernet ? wire::EthernetHeader::kSize : 1;
  if (frame.size() <= least) return false;
  frame.trim_back(1 + random_.below(frame.size() - least));
  frame.info().checksum = ChecksumState::kUnknown;
  return true;
}

void FaultLine::enqueue(Packet frame, Instant now) {
  if (delayed_.size() >= kMaxDelayed) {
    ++statistics_.overflowed;
    return;
  }
  Instant departure = now + options_.delay;
  if (options_.jitter > Duration::zero()) departure += random_.between(-options_.jitter, options_.jitter);
  departure = std::max(departure, delayed_.empty() ? now : delayed_.back().departure);
  delayed_.push_back({std::move(frame), departure});
}

void FaultLine::release_held(Instant now, bool one_has_passed) {
  for (Held& held : held_) {
    if (one_has_passed && held.to_pass > 0) --held.to_pass;
    if (held.to_pass == 0 || held.deadline <= now) enqueue(std::move(held.frame), now);
  }
  std::erase_if(held_, [](const Held& held) { return !held.frame; });
}

std::size_t FaultLine::take(PacketQueue& out, std::size_t limit, Instant now) {
  release_held(now, false);
  std::size_t count = 0;
  while (count < limit && !delayed_.empty() && delayed_.front().departure <= now) {
    out.push(std::move(delayed_.front().frame));
    delayed_.pop_front();
    ++count;
  }
  statistics_.passed += count;
  return count;
}

Instant FaultLine::next_deadline() const {
  Instant earliest = delayed_.empty() ? kNever : delayed_.front().departure;
  for (const Held& held : held_) earliest = std::min(earliest, held.deadline);
  return earliest;
}

}  // namespace transom::drivers
