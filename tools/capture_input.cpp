#include "tools/capture_input.h"

#include "drivers/capture/capture_reader.h"
#include "tools/failure.h"

namespace transom::tools {

CLI::Option* CaptureInput::add_to(CLI::App& command) {
  return command.add_option("capture", path, "A pcap or pcapng file, perhaps packed; '-' is standard input")
      ->type_name("CAPTURE");
}

void CaptureInput::read(const std::function<void(const drivers::CapturedPacket&)>& take) const {
  auto reader = drivers::CaptureReader::open(path);
  if (!reader) fail(Exit::kUsage, "{}: {}", path, to_string(reader.error()));
  while (true) {
    const auto packet = reader->next();
    if (!packet) fail(Exit::kUsage, "{}: {}", path, to_string(packet.error()));
    if (!*packet) return;
    take(**packet);
  }
}

}  // namespace transom::tools
