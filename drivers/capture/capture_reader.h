// Reads captures: pcap (by libpcap) and pcapng (by ours), micro- and nanoseconds, plain, gzip or zstd.
//
// A file is read in one pass with constant memory. What is wrong with it ends the reading with the offset and
// the reason; the packets before it were good.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/capture/captured_packet.h"

namespace transom::drivers {

struct CaptureError {
  std::string message;       // one line: what, why, what to do
  std::uint64_t offset = 0;  // octets from the start of the (uncompressed) file
};

struct CaptureInterface {
  std::string name;  // may be empty
  LinkType link_type = LinkType::kEthernet;
  std::uint32_t snap_length = 0;  // octets; 0: no limit
};

class CaptureReader {
 public:
  // "-" is standard input. The format is recognised by its first octets, not by the name.
  static std::expected<CaptureReader, CaptureError> open(const std::string& path);
  // The same for octets in memory, which must outlive the reader.
  static std::expected<CaptureReader, CaptureError> of(Bytes file);

  CaptureReader(CaptureReader&&) noexcept;
  CaptureReader& operator=(CaptureReader&&) noexcept;
  ~CaptureReader();

  // The next packet, nullopt at the end of the file. Its views are good until the next call.
  std::expected<std::optional<CapturedPacket>, CaptureError> next();
  // Those known so far: pcapng may declare more between packets.
  const std::vector<CaptureInterface>& interfaces() const;

 private:
  class Source;
  explicit CaptureReader(std::unique_ptr<Source> source);

  std::unique_ptr<Source> source_;
};

}  // namespace transom::drivers
