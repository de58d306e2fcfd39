// The packets of a trace, handed on as they pass, as a reader of a capture would hand them out.
#pragma once

#include <functional>
#include <vector>

#include "drivers/capture/captured_packet.h"
#include "drivers/trace/trace_sink.h"

namespace transom::drivers {

class PacketSink final : public TraceSink {
 public:
  // The packet is good during the call only; `time` is the Host's.
  using Take = std::function<void(const CapturedPacket& packet)>;

  explicit PacketSink(Take take) : take_(std::move(take)) {}
  void write(std::string_view host, const Event& event) override;

 private:
  Take take_;
  std::vector<std::uint8_t> frame_;
  std::uint64_t count_ = 0;
};

}  // namespace transom::drivers
