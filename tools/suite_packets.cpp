#include "tools/suite_packets.h"

#include <chrono>

namespace transom::tools {

using drivers::CapturedPacket;
using drivers::ChecksumVerdict;
using drivers::PacketView;
using nlohmann::json;

namespace {

std::string flags_text(const wire::TcpFlags& flags) {
  std::string text;
  if (flags.fin) text += 'F';
  if (flags.syn) text += 'S';
  if (flags.rst) text += 'R';
  if (flags.psh) text += 'P';
  if (flags.ack) text += '.';
  if (flags.urg) text += 'U';
  if (flags.ece) text += 'E';
  if (flags.cwr) text += 'W';
  return text;
}

std::string protocol_text(IpProtocol protocol) {
  switch (protocol) {
    case IpProtocol::kTcp:
      return "tcp";
    case IpProtocol::kUdp:
      return "udp";
    case IpProtocol::kIcmp:
      return "icmp";
    case IpProtocol::kIcmpv6:
      return "icmp6";
    case IpProtocol::kIgmp:
      return "igmp";
    default:
      return std::to_string(static_cast<unsigned>(protocol));
  }
}

void add_checksum(json& record, ChecksumVerdict network, ChecksumVerdict transport) {
  const auto is = [&](ChecksumVerdict state) { return network == state || transport == state; };
  if (is(ChecksumVerdict::kBad)) {
    record["checksum"] = "bad";
  } else if (transport != ChecksumVerdict::kAbsent || network != ChecksumVerdict::kAbsent) {
    record["checksum"] = is(ChecksumVerdict::kUnfilled)           ? "unfilled"
                         : transport == ChecksumVerdict::kUnknown ? "unknown"
                                                                  : "good";
  }
}

// What has no IP header to speak of.
void add_link(json& record, const CapturedPacket& packet) {
  const auto link = drivers::parse_link(packet);
  if (!link) return;
  if (link->ether_type == 0x0806) {
    record["protocol"] = "arp";
    if (packet.octets.size() >= link->network_offset + 8)
      record["operation"] = packet.octets[link->network_offset + 7];
  } else {
    record["ether_type"] = link->ether_type;
  }
}

}  // namespace

void PacketRecorder::name_ends(json& record, const PacketView& view) {
  const std::string source = to_string(view.source), destination = to_string(view.destination);
  record["source"] = source;
  record["destination"] = destination;
  if (client_.empty()) client_ = source;
  if (server_.empty() && source == client_) server_ = destination;
  if (server_.empty() && destination == client_) server_ = source;
  record["from"] = source == client_ ? "client" : destination == client_ ? "server" : "other";
  record["to"] = destination == client_ ? "client" : source == client_ ? "server" : "other";
}

void PacketRecorder::add_tcp(json& record, const PacketView& view) {
  const wire::TcpHeader& tcp = *view.tcp;
  const Direction forth{record["source"], record["destination"], tcp.source_port, tcp.destination_port};
  const Direction back{forth.destination, forth.source, tcp.destination_port, tcp.source_port};
  if (tcp.flags.syn) {
    first_.insert_or_assign(forth, tcp.sequence);
  } else {
    first_.try_emplace(forth, tcp.sequence);
  }
  if (tcp.flags.ack) {
    first_.try_emplace(back, tcp.acknowledgment);
    record["ack"] = static_cast<std::uint32_t>(tcp.acknowledgment - first_.at(back));
  }
  record["seq"] = static_cast<std::uint32_t>(tcp.sequence - first_.at(forth));
  record["sport"] = static_cast<std::uint16_t>(tcp.source_port);
  record["dport"] = static_cast<std::uint16_t>(tcp.destination_port);
  record["flags"] = flags_text(tcp.flags);
  record["window"] = tcp.window;
  record["length"] = view.payload_length;
  if (tcp.flags.urg) record["urgent"] = tcp.urgent_pointer;
  const wire::TcpOptions& options = tcp.options;
  if (options.maximum_segment_size) record["mss"] = *options.maximum_segment_size;
  if (options.window_scale) record["scale"] = *options.window_scale;
  if (options.sack_permitted) record["sack_permitted"] = true;
  if (options.sack_count > 0) record["sack"] = options.sack_count;
  if (options.timestamps) {
    record["tsval"] = options.timestamps->value;
    record["tsecr"] = options.timestamps->echo;
  }
  if (options.fast_open) record["fast_open"] = options.fast_open->size;
}

void PacketRecorder::add(const CapturedPacket& packet) {
  if (!begin_) begin_ = packet.time;
  json record = {{"number", packet.number},
                 {"time", std::chrono::duration<double>(packet.time - *begin_).count()}};
  if (packet.is_cut()) record["cut"] = true;
  for (const std::string& comment : packet.comments)
    record["comment"] =
        record.contains("comment") ? record["comment"].get<std::string>() + "\n" + comment : comment;
  const auto view = PacketView::parse(packet);
  if (!view) {
    add_link(record, packet);
    records_.push_back(std::move(record));
    return;
  }
  // Whoever opens the first connection is the client, even when others have spoken before.
  if (view->tcp && view->tcp->flags.syn && first_.empty()) {
    const bool is_answer = view->tcp->flags.ack;
    client_ = to_string(is_answer ? view->destination : view->source);
    server_ = to_string(is_answer ? view->source : view->destination);
  }
  name_ends(record, *view);
  static constexpr std::array<std::string_view, 4> kEcn{"", "ect1", "ect0", "ce"};
  record["protocol"] = protocol_text(view->protocol);
  record["ttl"] = view->hop_limit;
  if (const auto ecn = view->traffic_class & 3U; ecn != 0) record["ecn"] = kEcn[ecn];
  if (view->dont_fragment) record["df"] = true;
  if (view->is_fragment) {
    record["fragment"] = true;
    record["fragment_offset"] = view->fragment_offset;
  }
  add_checksum(record, view->network_checksum, view->transport_checksum);
  if (view->tcp) {
    add_tcp(record, *view);
  } else if (view->udp) {
    record["sport"] = static_cast<std::uint16_t>(view->udp->source_port);
    record["dport"] = static_cast<std::uint16_t>(view->udp->destination_port);
    record["length"] = view->payload_length;
  } else if ((view->protocol == IpProtocol::kIcmp || view->protocol == IpProtocol::kIcmpv6) &&
             view->fragment_offset == 0 && packet.octets.size() >= view->transport_offset + 2) {
    record["type"] = packet.octets[view->transport_offset];
    record["code"] = packet.octets[view->transport_offset + 1];
  }
  records_.push_back(std::move(record));
}

}  // namespace transom::tools
