// Writes pcapng (draft-ietf-opsawg-pcapng): one section, interfaces with nanosecond times, packets with
// comments. All interfaces of a file have the same link type and snap length, so that libpcap reads it too.
#pragma once

#include <span>
#include <string>

#include "drivers/trace/output_file.h"
#include "stack/base/bytes.h"
#include "stack/base/time.h"

namespace transom::drivers {

class PcapngWriter {
 public:
  static constexpr std::uint16_t kEthernet = 1;  // LINKTYPE_ETHERNET
  static constexpr std::uint16_t kRawIp = 101;   // LINKTYPE_RAW

  PcapngWriter(OutputFile file, std::uint16_t link_type, std::uint32_t snap_length);

  // Returns the number of the interface, from 0.
  std::uint32_t add_interface(std::string_view name);
  // `time` since 1970-01-01 UTC; `octets` may be cut to the snap length, `length` is what there was.
  void packet(std::uint32_t interface, Duration time, Bytes octets, std::size_t length,
              std::span<const std::string> comments);

 private:
  void block(std::uint32_t type, std::string_view body);

  OutputFile file_;
  std::uint16_t link_type_;
  std::uint32_t snap_length_;
  std::uint32_t interfaces_ = 0;
};

}  // namespace transom::drivers
