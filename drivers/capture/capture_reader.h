// Reads captures: pcap and pcapng, micro- and nanoseconds, in either byte order, plain, gzip or zstd.
//
// A file is read in one pass with constant memory. What is wrong with it ends the reading with the offset and
// the reason; the packets before it were good. Nothing is allocated because a length in the file says so:
// room grows with the octets that have really come.
//
// libpcap is not used for it: it tells no offsets, refuses pcapng whose interfaces differ, and passes over
// comments.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "drivers/capture/captured_packet.h"

namespace transom::drivers {

struct CaptureError {
  std::string message;       // one line: what, why, what to do
  std::uint64_t offset = 0;  // octets from the start of the (uncompressed) file; the largest: it has none
};
// "message, at octet 24"
std::string to_string(const CaptureError& error);

struct CaptureInterface {
  std::string name;  // may be empty
  LinkType link_type = LinkType::kEthernet;
  std::uint32_t snap_length = 0;  // octets; 0: no limit
};

enum class CaptureFormat : std::uint8_t { kPcapMicroseconds, kPcapNanoseconds, kPcapng };

// A block of pcapng that is neither section, interface nor packet: name resolutions, statistics, secrets, and
// whatever else there is.
struct OtherBlock {
  std::uint32_t type = 0;
  Bytes body;                         // without type and lengths; good during the call
  bool is_big_endian = false;         // the byte order of its section
  std::uint32_t first_interface = 0;  // what its section calls interface 0
};
using OtherBlockHandler = std::function<void(const OtherBlock&)>;

class CaptureSource;
class KeptPacket;

class CaptureReader {
 public:
  // "-" is standard input. The format is recognised by its first octets, not by the name.
  static std::expected<CaptureReader, CaptureError> open(const std::string& path);
  // The same for octets in memory, which must outlive the reader.
  static std::expected<CaptureReader, CaptureError> of(Bytes file);
  // The same for packets in memory.
  static CaptureReader of(std::span<const KeptPacket> packets);

  CaptureReader(CaptureReader&&) noexcept;
  CaptureReader& operator=(CaptureReader&&) noexcept;
  ~CaptureReader();

  // The next packet, nullopt at the end of the file. Its views are good until the next call.
  std::expected<std::optional<CapturedPacket>, CaptureError> next();
  // Those known so far: pcapng may declare more between packets.
  const std::vector<CaptureInterface>& interfaces() const;
  CaptureFormat format() const;
  // Packets that whoever captured says it has missed, as far as has been read: most files say it behind the
  // last packet, if at all.
  std::uint64_t dropped() const;
  // Without a handler such blocks are passed over.
  void keep_other_blocks(OtherBlockHandler handler);

 private:
  explicit CaptureReader(std::unique_ptr<CaptureSource> source);
  static std::expected<CaptureReader, CaptureError> read(class InputFile file);

  std::unique_ptr<CaptureSource> source_;
};

}  // namespace transom::drivers
