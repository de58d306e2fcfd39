// What transom rewrite and transom scrub share: a capture is read, each packet may become another, several or
// none, and what is left is written.
#pragma once

#include <functional>
#include <string>

#include "drivers/capture/capture_writer.h"
#include "tools/commands.h"

namespace transom::tools {

struct CopyOptions {
  std::string input, output;  // "-": standard input and output
  bool keeps_other_blocks = true;
  bool is_bare_ip = false;  // the packets come without link headers
};

using Emit = std::function<void(const drivers::CapturedPacket&)>;
using Change = std::function<void(const drivers::CapturedPacket&, const Emit&)>;

struct CopyResult {
  std::uint64_t read = 0, written = 0;
  std::uint64_t blocks_left_out = 0;  // of pcapng, that could not be kept
};

void add_copy_options(CLI::App& command, CopyOptions& options);
// Throws Failure: a file cannot be read or written.
CopyResult copy_capture(const CopyOptions& options, const Change& change);

}  // namespace transom::tools
