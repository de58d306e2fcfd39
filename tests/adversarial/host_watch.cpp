#include "tests/adversarial/host_watch.h"

#include <fmt/format.h>

#include "tests/adversarial/stream.h"

namespace transom::test {

HostWatch::HostWatch(drivers::sim::Node& node, Judge& judge, std::uint32_t seed, Log& log)
    : node_(node),
      judge_(judge),
      wire_({.is_right =
                 [seed](const tcp::FourTuple& tuple, std::uint64_t position, Bytes octets) {
                   return Stream(seed, tuple.local, tuple.remote).matches(position, octets);
                 },
             .violated =
                 [this](std::string_view rule, const std::string& what) {
                   // What a cookie was made of is all that a stateless answer knows.
                   const bool forgets = node_.host().counters()[Counter::kTcpExtSyncookiesSent] > 0;
                   if (rule == "ecn" && forgets) return;
                   judge_.violate(rule, node_.name() + ": " + what);
                 }}),
      log_(log) {
  node.host().set_observer(this);
}

void HostWatch::on_event(const Event& event) {
  if (log_.limit > 0) keep(event);
  if (const auto* packet = std::get_if<PacketEvent>(&event.what)) {
    if (packet->direction == Direction::kIn) {
      forced_.clear();
      touch(wire_.on_in(packet->packet, packet->has_ethernet_header));
    } else {
      touch(wire_.on_out(packet->packet, packet->has_ethernet_header,
                         node_.host().link().interface(packet->interface)->mtu()));
    }
  } else if (const auto* send = std::get_if<TcpSendEvent>(&event.what)) {
    check_congestion_window(*send);
  } else if (const auto* timer = std::get_if<TcpTimerEvent>(&event.what)) {
    forced_.erase({timer->local, timer->remote});
    touch(tcp::FourTuple{timer->local, timer->remote});
  }
}

void HostWatch::touch(const std::optional<tcp::FourTuple>& tuple) {
  if (tuple && (touched_.empty() || touched_.back() != *tuple)) touched_.push_back(*tuple);
}

// What is in flight with this transmission fits the congestion window. Let through are a FIN alone, tail loss
// probes (RFC 8985 §7.3), and the first retransmission of a recovery (RFC 5681 §3.2, RFC 6675 §5 (4.3)).
void HostWatch::check_congestion_window(const TcpSendEvent& send) {
  const auto found = connections.find({send.local, send.remote});
  if (found == connections.end() || send.reason == Reason::kTailLossProbe) return;
  const tcp::Info info = found->second->info();
  const std::uint64_t octets = octets_between(send.begin, send.end);
  if (octets <= 1 || info.in_flight + octets <= info.cwnd + 1) return;
  if (send.reason == Reason::kRetransmission && octets <= info.send_mss + 1 && ++forced_[found->first] == 1)
    return;
  judge_.violate(
      "beyond the congestion window",
      fmt::format("{}: {} > {} sends {} octets with {} in flight, cwnd {}", node_.name(),
                  to_string(send.local), to_string(send.remote), octets, info.in_flight, info.cwnd));
}

void HostWatch::keep(const Event& event) {
  const auto nanoseconds = event.time.time_since_epoch().count();
  std::string line =
      fmt::format("{}.{:09} {:<4} ", nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000, node_.name());
  if (const auto* packet = std::get_if<PacketEvent>(&event.what)) {
    std::vector<std::uint8_t> octets(packet->packet.size());
    packet->packet.copy_out(0, octets);
    line += packet->direction == Direction::kIn ? "in   " : "out  ";
    line += drivers::describe_frame(octets, packet->has_ethernet_header);
  } else {
    line += "     ";
    if (const auto connection = drivers::connection_of(event))
      line += fmt::format("{} > {}  ", to_string(connection->local), to_string(connection->remote));
    line += words_.text(event);
  }
  log_.lines.push_back(std::move(line));
  if (log_.lines.size() > log_.limit) log_.lines.pop_front();
}

}  // namespace transom::test
