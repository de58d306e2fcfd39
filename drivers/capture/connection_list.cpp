#include "drivers/capture/connection_list.h"

namespace transom::drivers {

ConnectionList::Place ConnectionList::take(const CapturedPacket& packet, const PacketView& view) {
  const Endpoint from{view.source, view.tcp->source_port}, to{view.destination, view.tcp->destination_port};
  const std::size_t side = from < to ? 0 : 1;
  const Key key = side == 0 ? Key(from, to) : Key(to, from);
  auto known = connections_.find(key);
  const wire::TcpFlags& flags = view.tcp->flags;
  // A SYN after the end begins another connection of the same name.
  if (known != connections_.end() && flags.syn && !flags.ack && known->second.has_end()) {
    end(known->second);
    connections_.erase(known);
    known = connections_.end();
  }
  if (known == connections_.end()) {
    if (connections_.size() >= kMaxConnections) make_room();
    known = connections_.try_emplace(key).first;
    known->second.first_packet = packet.number;
    known->second.number = ++count_;
  }
  SeenConnection& connection = known->second;
  ++connection.packets[side];
  if (flags.syn) {
    connection.has_syn[side] = true;
    connection.maximum_segment_size[side] = view.tcp->options.maximum_segment_size;
  }
  if (flags.fin) connection.has_fin[side] = true;
  if (flags.rst) connection.has_reset = true;
  return {connection, side};
}

void ConnectionList::make_room() {
  std::erase_if(connections_, [this](const auto& entry) {
    if (!entry.second.has_end()) return false;
    end(entry.second);
    return true;
  });
  // None of them has ended: those that began first go.
  if (connections_.size() < kMaxConnections / 2) return;
  const std::uint64_t oldest_kept = count_ - kMaxConnections / 4;
  std::erase_if(connections_, [&](const auto& entry) {
    if (entry.second.number > oldest_kept) return false;
    end(entry.second);
    return true;
  });
}

void ConnectionList::finish() {
  for (const auto& [key, connection] : connections_) end(connection);
  connections_.clear();
}

}  // namespace transom::drivers
