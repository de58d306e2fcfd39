#include "drivers/sim/channel.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/frame_damage.h"
#include "drivers/sim/ip_view.h"
#include "drivers/units.h"

namespace transom::drivers::sim {

namespace {

constexpr std::uint64_t kOpportunity = 1504;  // octets, as mahimahi

// Sorted by arrival; equal ones in the order in which they came.
template <typename Flights>
void insert_sorted(Flights& flights, Instant arrival, Packet packet) {
  std::size_t position = flights.size();
  while (position > 0 && flights[position - 1].arrival > arrival) --position;
  flights.insert(position, {arrival, std::move(packet)});
}

}  // namespace

std::expected<DeliveryTrace, std::string> DeliveryTrace::parse(std::string_view text) {
  DeliveryTrace trace;
  std::size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const auto time = parse_count(line);
    const bool is_ordered = time && (trace.milliseconds.empty() || *time >= trace.milliseconds.back());
    constexpr std::uint64_t kDay = 86'400'000;
    if (!is_ordered || *time > kDay) {
      return std::unexpected(fmt::format(
          "line {}: '{}' is not a time in milliseconds that is at least the one before", line_number, line));
    }
    trace.milliseconds.push_back(*time);
  }
  if (trace.milliseconds.empty() || trace.milliseconds.back() == 0)
    return std::unexpected("a delivery trace needs at least one time after 0");
  return trace;
}

std::expected<std::unique_ptr<Channel>, std::string> Channel::make(const ChannelOptions& options,
                                                                   link::LinkType type, const Seed& seed) {
  Random random(seed);
  auto queue = make_queue(options.queue, type, random.key());
  if (!queue) return std::unexpected(queue.error());
  return std::unique_ptr<Channel>(new Channel(options, type, random.key(), std::move(*queue)));
}

Channel::Channel(const ChannelOptions& options, link::LinkType type, const Seed& seed,
                 std::unique_ptr<Queue> queue)
    : options_(options),
      type_(type),
      random_(seed),
      queue_(std::move(queue)),
      loss_(options.loss),
      faults_(options.faults, type) {}

void Channel::put(Packet packet, Instant now) {
  ++statistics_.entered;
  // Who the frame is for is decided by its receiver.
  packet.info().link_broadcast = false;
  packet.info().link_multicast = false;
  if (faults_.empty()) return enqueue(std::move(packet), now);
  const PacketFaults::Verdict verdict = faults_.judge(packet);
  if (verdict.drop) {
    ++statistics_.faulted;
    return;
  }
  if (verdict.mark) (void)mark_congestion(packet, type_);
  if (verdict.corrupt_byte) {
    const auto layout = layout_of(packet.head(), type_);
    const std::uint64_t byte =
        *verdict.corrupt_byte + (layout ? layout->transport_offset - layout->ip_offset : 0);
    bool is_hit = false;
    for (std::uint64_t bit = 0; bit < 8; ++bit) is_hit |= flip_bit(packet, type_, byte * 8 + bit);
    statistics_.corrupted += is_hit ? 1 : 0;
  }
  if (verdict.duplicate) {
    if (Packet copy = packet.clone()) {
      ++statistics_.duplicated;
      enqueue(std::move(copy), now);
    }
  }
  if (verdict.delay > Duration::zero()) return insert_sorted(held_, now + verdict.delay, std::move(packet));
  enqueue(std::move(packet), now);
}

void Channel::enqueue(Packet packet, Instant now) {
  apply_changes(now);
  const std::size_t link_header = ip_offset_of(packet.head(), type_).value_or(0);
  if (options_.mtu != 0 && packet.size() - link_header > options_.mtu) {
    ++statistics_.too_long;
    return;
  }
  // In real time a call comes late: what waited was sent before this packet came. Never in virtual time.
  if (is_backlogged_ && free_at_ < now) serve(now);
  queue_->put(std::move(packet), now);
  serve(now);
}

void Channel::take(PacketQueue& out, Instant now) {
  release_held(now);
  serve(now);
  while (!flight_.empty() && flight_.front().arrival <= now) {
    ++statistics_.delivered;
    statistics_.delivered_octets += flight_.front().packet.size();
    out.push(std::move(flight_.front().packet));
    flight_.pop_front();
  }
}

Instant Channel::next_deadline() const {
  Instant next = flight_.empty() ? kNever : flight_.front().arrival;
  if (!held_.empty()) next = std::min(next, held_.front().arrival);
  if (queue_->packets() > 0) next = std::min(next, free_at_);
  return next;
}

void Channel::apply_changes(Instant now) {
  while (next_change_ < options_.changes.size() && options_.changes[next_change_].at <= now) {
    const ChannelChange& change = options_.changes[next_change_++];
    if (change.rate) options_.rate = *change.rate;
    if (change.delay) options_.delay = *change.delay;
    if (change.jitter) options_.jitter = *change.jitter;
    if (change.loss) loss_ = LossProcess(*change.loss);
    if (change.up) is_up_ = *change.up;
    if (change.mtu) options_.mtu = *change.mtu;
  }
}

void Channel::release_held(Instant now) {
  while (!held_.empty() && held_.front().arrival <= now) {
    Packet packet = std::move(held_.front().packet);
    held_.pop_front();
    enqueue(std::move(packet), now);
  }
}

void Channel::serve(Instant now) {
  apply_changes(now);
  while (queue_->packets() > 0 && free_at_ <= now) {
    // What waited for the transmitter is sent as soon as that was free, however late this call is.
    const Instant start = is_backlogged_ ? free_at_ : now;
    Packet packet = queue_->take(start);
    if (!packet) break;
    const std::uint64_t octets = packet.size();
    ++statistics_.sent;
    statistics_.sent_octets += octets;
    free_at_ =
        options_.trace.milliseconds.empty() ? start + time_to_send(octets) : next_opportunity(start, octets);
    depart(std::move(packet), free_at_);
  }
  is_backlogged_ = queue_->packets() > 0;
}

Duration Channel::time_to_send(std::uint64_t octets) {
  if (options_.rate == 0) return {};
  const std::uint64_t bit_nanoseconds = octets * 8'000'000'000 + remainder_;
  remainder_ = bit_nanoseconds % options_.rate;
  return Duration(static_cast<std::int64_t>(bit_nanoseconds / options_.rate));
}

// When the last of `octets` has been delivered.
Instant Channel::next_opportunity(Instant now, std::uint64_t octets) {
  const auto& times = options_.trace.milliseconds;
  const auto at = [&](std::uint64_t number) {
    const std::uint64_t milliseconds = number / times.size() * times.back() + times[number % times.size()];
    return Instant(std::chrono::milliseconds(milliseconds));
  };
  if (free_at_ < now) {  // those that have passed while nothing waited are gone
    const auto elapsed = static_cast<std::uint64_t>(to_milliseconds(now.time_since_epoch()));
    opportunity_ = std::max(opportunity_, elapsed / times.back() * times.size());
    while (at(opportunity_) < now) ++opportunity_;
    opportunity_octets_ = 0;
  }
  Instant departure = now;
  while (opportunity_octets_ < octets) {
    departure = at(opportunity_++);
    opportunity_octets_ += kOpportunity;
  }
  opportunity_octets_ -= octets;
  return departure;
}

void Channel::depart(Packet packet, Instant at) {
  if (!is_up_ || loss_.next(random_)) {
    ++statistics_.lost;
    return;
  }
  if (options_.corrupt > 0 && random_.chance(options_.corrupt)) {
    const std::size_t ip = ip_offset_of(packet.head(), type_).value_or(0);
    if (flip_bit(packet, type_, random_.below((packet.size() - ip) * 8))) ++statistics_.corrupted;
  }
  if (options_.duplicate > 0 && random_.chance(options_.duplicate)) {
    if (Packet copy = packet.clone()) {
      ++statistics_.duplicated;
      fly(std::move(copy), at);
    }
  }
  fly(std::move(packet), at);
}

void Channel::fly(Packet packet, Instant departure) {
  if (options_.reorder > 0 && ++since_reordered_ >= options_.reorder_gap) {
    if (random_.chance(options_.reorder)) {
      since_reordered_ = 0;
      ++statistics_.reordered;
      return insert_sorted(flight_, departure, std::move(packet));
    }
  }
  Instant arrival = departure + options_.delay;
  if (options_.jitter > Duration::zero()) {
    arrival = std::max(departure, arrival + random_.between(-options_.jitter, options_.jitter));
    if (options_.keeps_order && !flight_.empty()) arrival = std::max(arrival, flight_.back().arrival);
  }
  insert_sorted(flight_, arrival, std::move(packet));
}

}  // namespace transom::drivers::sim
