// Chooses packets of a capture by an expression of pcap-filter(7), which libpcap compiles and runs.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <string>

#include "drivers/capture/captured_packet.h"

struct bpf_program;

namespace transom::drivers {

class CaptureFilter {
 public:
  // An empty expression wants everything. The error is libpcap's, one line.
  static std::expected<CaptureFilter, std::string> make(std::string expression);
  CaptureFilter(CaptureFilter&&) noexcept;
  CaptureFilter& operator=(CaptureFilter&&) noexcept;
  ~CaptureFilter();

  // What the expression cannot be said of (`ether src` of a packet without Ethernet header) is not wanted.
  bool wants(const CapturedPacket& packet);

 private:
  struct Free {
    void operator()(bpf_program* program) const;
  };
  using Program = std::unique_ptr<bpf_program, Free>;
  explicit CaptureFilter(std::string expression);
  static std::expected<Program, std::string> compile(const std::string& expression, LinkType type);

  std::string expression_;
  std::map<LinkType, Program> programs_;  // empty: of no meaning for that type
};

}  // namespace transom::drivers
