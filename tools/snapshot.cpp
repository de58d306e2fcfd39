#include "tools/snapshot.h"

#include "stack/base/drop_reason.h"
#include "stack/ip/groups.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

using nlohmann::json;

double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

json endpoint(const Endpoint& endpoint) {
  return {{"address", to_string(endpoint.address)}, {"port", to_number(endpoint.port)}};
}

std::string name_of(Host& host, InterfaceId id) {
  const link::Interface* interface = host.link().interface(id);
  return interface == nullptr ? "" : interface->name();
}

// Each limit with the time it was the one, in milliseconds.
json limits_of(const tcp::Info& info) {
  json limits = json::object();
  for (std::size_t i = 0; i < info.limited.size(); ++i)
    limits[std::string(tcp::to_string(static_cast<tcp::Limited>(i)))] = milliseconds(info.limited[i]);
  return limits;
}

json tcp_socket(Host& host, const tcp::Info& info) {
  json socket = {{"protocol", "tcp"},
                 {"state", tcp::to_ss_string(info.state)},
                 {"recv_q", info.receive_queue},
                 {"send_q", info.send_queue},
                 {"local", endpoint(info.tuple.local)},
                 {"peer", endpoint(info.tuple.remote)},
                 {"interface", name_of(host, info.interface)}};
  if (!info.timer.empty()) {
    socket["timer"] = {
        {"name", info.timer}, {"expires_ms", milliseconds(info.timer_expires)}, {"backoff", info.backoff}};
  }
  if (info.state == tcp::State::kListen || info.state == tcp::State::kTimeWait) return socket;
  json metrics = json::object();
  for (const tcp::Metric& metric : std::span(info.metrics).first(info.metric_count))
    metrics[std::string(metric.name)] = metric.value;
  socket["info"] = {{"metrics", metrics},
                    {"congestion_control", info.congestion_control},
                    {"timestamps", info.timestamps},
                    {"sack", info.sack},
                    {"send_scale", info.send_scale},
                    {"receive_scale", info.receive_scale},
                    {"rto_ms", milliseconds(info.rto)},
                    {"rtt_ms", milliseconds(info.srtt)},
                    {"rttvar_ms", milliseconds(info.rttvar)},
                    {"min_rtt_ms", milliseconds(info.min_rtt)},
                    {"send_mss", info.send_mss},
                    {"receive_mss", info.receive_mss},
                    {"cwnd", info.cwnd},
                    {"ssthresh", info.ssthresh},
                    {"in_flight", info.in_flight},
                    {"send_window", info.send_window},
                    {"receive_window", info.receive_window},
                    {"bytes_sent", info.bytes_sent},
                    {"bytes_retransmitted", info.bytes_retransmitted},
                    {"bytes_acked", info.bytes_acked},
                    {"bytes_received", info.bytes_received},
                    {"segments_out", info.segments_out},
                    {"segments_in", info.segments_in},
                    {"ecn", info.ecn},
                    {"congestion_state", static_cast<unsigned>(info.congestion_state)},
                    {"ack_timeout_ms", milliseconds(info.ack_timeout)},
                    {"path_mtu", info.path_mtu},
                    {"peer_segment", info.peer_segment},
                    {"outstanding", info.outstanding},
                    {"sacked", info.sacked},
                    {"lost", info.lost},
                    {"retransmitted_in_flight", info.retransmitted_in_flight},
                    {"retransmitted_segments", info.retransmitted_segments},
                    {"unsent", info.unsent},
                    {"pacing_rate", info.pacing_rate},
                    {"delivery_rate", info.delivery_rate},
                    {"delivery_rate_application_limited", info.delivery_rate_application_limited},
                    {"delivered", info.delivered},
                    {"delivered_marked", info.delivered_marked},
                    {"duplicates_reported", info.duplicates_reported},
                    {"reorderings", info.reorderings},
                    {"out_of_order_segments", info.out_of_order_segments},
                    {"timeouts", info.timeouts},
                    {"data_segments_out", info.data_segments_out},
                    {"data_segments_in", info.data_segments_in},
                    {"send_buffer", info.send_buffer},
                    {"receive_buffer", info.receive_buffer},
                    {"receive_rtt_ms", milliseconds(info.receive_rtt)},
                    {"received_per_round", info.received_per_round},
                    {"since_data_sent_ms", milliseconds(info.since_data_sent)},
                    {"since_data_received_ms", milliseconds(info.since_data_received)},
                    {"since_ack_received_ms", milliseconds(info.since_ack_received)},
                    {"limited_now", tcp::to_string(info.limited_now)},
                    {"limited_ms", limits_of(info)}};
  return socket;
}

json sockets_of(Host& host) {
  json list = json::array();
  for (const tcp::Info& info : host.tcp().connections()) list.push_back(tcp_socket(host, info));
  for (const udp::UdpSocketInfo& info : host.udp().sockets()) {
    const Endpoint nobody{IpAddress::any(info.local.address.family()), Port::kNone};
    list.push_back({{"protocol", "udp"},
                    {"state", info.remote ? "ESTAB" : "UNCONN"},
                    {"recv_q", info.receive_queue},
                    {"send_q", 0},
                    {"local", endpoint(info.local)},
                    {"peer", endpoint(info.remote.value_or(nobody))},
                    {"dropped", info.dropped}});
  }
  return list;
}

json counters_of(Host& host) {
  json counters = json::object();
  for (std::size_t i = 0; i < kCounterCount; ++i) {
    const Counter counter{static_cast<std::uint16_t>(i)};
    counters[std::string(to_string(counter))] = host.counters()[counter];
  }
  json drops = json::object();
  for (std::size_t i = 0; i < kDropReasonCount; ++i) {
    const std::uint64_t count = host.context().drops[i];
    if (count > 0) drops[std::string(to_string(DropReason{static_cast<std::uint8_t>(i)}))] = count;
  }
  return {{"counters", counters}, {"drops", drops}};
}

std::string_view to_text(link::AddressState state) {
  switch (state) {
    case link::AddressState::kTentative:
      return "tentative";
    case link::AddressState::kPreferred:
      return "preferred";
    case link::AddressState::kDeprecated:
      return "deprecated";
    case link::AddressState::kDuplicated:
      return "dadfailed";
  }
  return "";
}

json addresses_of(Host& host) {
  json list = json::array();
  for (const auto& interface : host.link().interfaces()) {
    json addresses = json::array();
    for (const link::InterfaceAddress& address : interface->addresses()) {
      addresses.push_back({{"family", address.prefix.address.is_v4() ? "inet" : "inet6"},
                           {"address", to_string(address.prefix.address)},
                           {"prefix_length", address.prefix.length},
                           {"scope", address.prefix.address.is_loopback()     ? "host"
                                     : address.prefix.address.is_link_local() ? "link"
                                                                              : "global"},
                           {"state", to_text(address.state)}});
    }
    const link::InterfaceStatistics& statistics = interface->statistics();
    list.push_back({{"index", static_cast<unsigned>(interface->id())},
                    {"name", interface->name()},
                    {"type", interface->type() == link::LinkType::kEthernet   ? "ether"
                             : interface->type() == link::LinkType::kLoopback ? "loopback"
                                                                              : "none"},
                    {"mac", to_string(interface->mac())},
                    {"mtu", interface->mtu()},
                    {"offloads",
                     {{"checksum", interface->offloads().checksum},
                      {"segment_ipv4", interface->offloads().segment_ipv4},
                      {"segment_ipv6", interface->offloads().segment_ipv6}}},
                    {"addresses", addresses},
                    {"rx",
                     {{"packets", statistics.rx_packets},
                      {"bytes", statistics.rx_bytes},
                      {"dropped", statistics.rx_dropped}}},
                    {"tx",
                     {{"packets", statistics.tx_packets},
                      {"bytes", statistics.tx_bytes},
                      {"dropped", statistics.tx_dropped}}}});
  }
  return list;
}

json routes_of(Host& host) {
  json list = json::array();
  for (const ip::Route& route : host.ip().routes().routes()) {
    json entry = {{"destination", to_string(route.prefix)},
                  {"family", route.prefix.address.is_v4() ? "inet" : "inet6"},
                  {"interface", name_of(host, route.interface)},
                  {"metric", route.metric}};
    if (route.gateway) entry["gateway"] = to_string(*route.gateway);
    if (route.source) entry["source"] = to_string(*route.source);
    list.push_back(entry);
  }
  return list;
}

// The multicast groups that each interface hears: those that every host does, and those that sockets have
// joined.
json groups_of(Host& host) {
  json list = json::array();
  for (const auto& interface : host.link().interfaces()) {
    json groups = json::array();
    const auto add = [&groups](const IpAddress& group, const ip::SourceFilter* filter) {
      json entry = {{"family", group.is_v4() ? "inet" : "inet6"}, {"address", to_string(group)}};
      if (filter != nullptr) {
        json sources = json::array();
        for (const IpAddress& source : filter->sources) sources.push_back(to_string(source));
        entry["mode"] = filter->mode == ip::FilterMode::kInclude ? "include" : "exclude";
        entry["sources"] = sources;
      }
      groups.push_back(entry);
    };
    for (const char* const everybody : {"224.0.0.1", "ff02::1"}) add(*IpAddress::parse(everybody), nullptr);
    for (const auto& [group, filter] : host.ip().groups().filters(interface->id())) add(group, &filter);
    list.push_back(
        {{"index", static_cast<unsigned>(interface->id())}, {"name", interface->name()}, {"groups", groups}});
  }
  return list;
}

std::string_view to_text(link::NeighbourState state) {
  switch (state) {
    case link::NeighbourState::kIncomplete:
      return "INCOMPLETE";
    case link::NeighbourState::kReachable:
      return "REACHABLE";
    case link::NeighbourState::kStale:
      return "STALE";
    case link::NeighbourState::kDelay:
      return "DELAY";
    case link::NeighbourState::kProbe:
      return "PROBE";
    case link::NeighbourState::kPermanent:
      return "PERMANENT";
    case link::NeighbourState::kFailed:
      return "FAILED";
  }
  return "";
}

json neighbours_of(Host& host, Instant now) {
  json list = json::array();
  for (const link::NeighbourInfo& neighbour : host.link().neighbours()) {
    json entry = {{"address", to_string(neighbour.address)},
                  {"family", neighbour.address.is_v4() ? "inet" : "inet6"},
                  {"interface", name_of(host, neighbour.interface)},
                  {"state", to_text(neighbour.state)},
                  {"confirmed_ms_ago", milliseconds(now - neighbour.confirmed)}};
    if (neighbour.mac) entry["mac"] = to_string(*neighbour.mac);
    list.push_back(entry);
  }
  return list;
}

}  // namespace

json take_snapshot(sockets::Stack& stack, std::string_view what) {
  sockets::Session session(stack);
  Host& host = session.host();
  if (what == "sockets") return sockets_of(host);
  if (what == "counters") return counters_of(host);
  if (what == "addresses") return addresses_of(host);
  if (what == "routes") return routes_of(host);
  if (what == "groups") return groups_of(host);
  if (what == "neighbours") return neighbours_of(host, session.now());
  fail(Exit::kUsage, "a host cannot tell about '{}'", what);
}

}  // namespace transom::tools
