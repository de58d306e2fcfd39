// What the command line of transom replay says.
#pragma once

#include <array>

#include "drivers/replay/live_replay.h"
#include "tools/device_options.h"

namespace transom::tools {

struct ReplayOptions {
  std::string capture;
  std::string role = "feed";
  std::string as = "server";
  double stall = 5;  // seconds
  std::string write;
  std::string html;
  std::string junit;
  bool as_json = false;
  bool is_quiet = false;
  bool shows_all = false;
  std::size_t context = 3;
  std::optional<std::string> fail_on;  // "violation", "unknown", "any"
  std::string golden;                  // file
  std::optional<std::string> golden_masks;
  bool accepts = false;
  // --- live
  DeviceOptions device;
  std::string peer;  // address, or address and port
  std::optional<std::uint16_t> port;
  std::array<std::string, 2> ports;  // devices of --role both; empty: made in a private network
  bool is_bridge = false;            // what is between them passes frames on as they are
  std::string fidelity = "segment";
  std::string when = "causal";
  std::vector<std::string> masks;
  drivers::replay::Speed speed;
  std::optional<double> longest_sleep;  // seconds
  std::uint64_t loops = 1;
  std::optional<std::uint64_t> limit;
  std::optional<double> duration;  // seconds
};

inline Duration seconds_of(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

// Opens the capture; throws Failure (kUsage) with what is wrong with it.
drivers::CaptureReader open_replayed(const std::string& path);
[[noreturn]] void fail_reading(const std::string& path, const drivers::CaptureError& error);
drivers::replay::Scene look_at(const std::string& path);

// --role client, server and app: against a live peer. `command` stood behind "--".
int run_live_replay(const ReplayOptions& options, const std::vector<std::string>& command);
// --role both: through a device between two ports.
int run_transit_replay(const ReplayOptions& options, const std::vector<std::string>& command);

}  // namespace transom::tools
