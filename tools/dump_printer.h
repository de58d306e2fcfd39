// Where the packets of `transom dump` go: to a person as tcpdump's lines, to a program as lines of JSON, or
// into another capture.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drivers/capture/capture_writer.h"
#include "drivers/capture/text/packet_text.h"

namespace transom::tools {

struct DumpStyle {
  bool link_header = false;       // -e
  int verbosity = 0;              // -v
  bool absolute_numbers = false;  // -S
  int hex = 0;                    // -x, -xx with link header
  int hex_and_characters = 0;     // -X, -XX
  int characters = 0;             // -A, -AA
  int time = 0;                   // -t to -ttttt
  bool nanoseconds = false;       // --nano
  bool numbers = false;           // -#
  bool why = false;               // the packet's comments, too
  bool interface_names = false;   // of all interfaces: each line says which
  bool as_json = false;
  std::optional<std::string> file;  // -w
};

class DumpPrinter {
 public:
  // Throws Failure: the file cannot be written.
  explicit DumpPrinter(DumpStyle style);

  // `interfaces`: of packet.interface.
  void print(const drivers::CapturedPacket& packet, const std::vector<drivers::CaptureInterface>& interfaces);
  // A comment on the packet that was printed last, which has come after it.
  void explain(std::string_view comment) const;
  // Comments have to be there with their packet.
  bool wants_comments_at_once() const { return style_.as_json || style_.file.has_value(); }
  // Throws Failure when the file is not complete.
  void flush();
  void close();

 private:
  std::string time_text(Duration time);
  std::string octets_text(const drivers::CapturedPacket& packet) const;
  void print_json(const drivers::CapturedPacket& packet, const std::string& interface);

  DumpStyle style_;
  drivers::PacketText text_;
  std::optional<drivers::CaptureWriter> writer_;
  std::optional<Duration> first_, last_;  // times of packets
};

}  // namespace transom::tools
