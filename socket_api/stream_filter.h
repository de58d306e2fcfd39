// SO_ATTACH_FILTER of TCP.
#pragma once

#include <memory>

#include "drivers/packet_filter.h"
#include "stack/tcp/segment_filter.h"

namespace transom::sockets {

class StreamFilter final : public tcp::SegmentFilter {
 public:
  explicit StreamFilter(std::shared_ptr<drivers::PacketFilter> program) : program_(std::move(program)) {}
  std::size_t octets_to_keep(const ip::Received& received, const Packet& segment) override;

 private:
  std::shared_ptr<drivers::PacketFilter> program_;
};

}  // namespace transom::sockets
