// Writes captures: pcap or pcapng, plain, gzip or zstd.
//
// pcap holds packets of one link type and nothing of their comments, directions and interfaces. pcapng keeps
// all that; its times are nanoseconds, its byte order little-endian.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/capture/capture_reader.h"
#include "drivers/capture/output_file.h"

namespace transom::drivers {

class CaptureWriter {
 public:
  // By the name of the file, without .gz or .zst: pcapng when it ends in .pcapng, else pcap of nanoseconds.
  static CaptureFormat format_of(std::string_view path);

  // "-" is standard output. A file that exists is replaced. `format`: other than its name says.
  static std::expected<CaptureWriter, DeviceError> create(const std::string& path,
                                                          std::optional<CaptureFormat> format = std::nullopt);
  CaptureWriter(OutputFile file, CaptureFormat format);

  // What packets refer to by number, from 0. pcap: the first one's link type is that of the file.
  void add_interface(const CaptureInterface& interface);
  // Those of `interfaces` that are not there yet. For packets that are handed on from a reader.
  void add_interfaces(const std::vector<CaptureInterface>& interfaces);

  // An interface that was not added is made up, of the packet's link type. The error, one line: another link
  // type than that of the file or the interface; a time that the format does not hold.
  std::expected<void, std::string> write(const CapturedPacket& packet);
  // Of a reader whose interfaces have the same numbers. Only pcapng has room for them, and only those of
  // little-endian sections mean the same in another file: else false.
  bool write(const OtherBlock& block);

  // The errors say why what was written is not in the file.
  std::expected<void, std::string> flush() { return begin(), file_.flush(); }
  std::expected<void, std::string> close() { return begin(), file_.close(); }

 private:
  void begin();
  void block(std::uint32_t type, std::string_view body);
  void describe(const CaptureInterface& interface);
  void write_pcap(const CapturedPacket& packet, std::uint64_t nanoseconds);
  void write_pcapng(const CapturedPacket& packet, std::uint64_t nanoseconds);

  OutputFile file_;
  CaptureFormat format_;
  std::vector<CaptureInterface> interfaces_;
  bool has_begun_ = false;
  std::string scratch_;  // a block that is put together
};

}  // namespace transom::drivers
