// The capture that a subcommand reads: its path and a filter, and the reading of it.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "drivers/capture/captured_packet.h"

namespace transom::tools {

struct CaptureInput {
  std::string path;
  std::vector<std::string> filter{};  // words of an expression of pcap-filter(7)

  // The positional arguments of the command; returns that of the capture.
  CLI::Option* add_to(CLI::App& command);
  bool is_standard_input() const { return path == "-"; }
  // Calls `take` for each packet that the filter wants. Throws Failure (kUsage) when the capture cannot be
  // read or the filter makes no sense. Returns how many packets whoever captured says it has missed.
  std::uint64_t read(const std::function<void(const drivers::CapturedPacket&)>& take) const;
};

}  // namespace transom::tools
