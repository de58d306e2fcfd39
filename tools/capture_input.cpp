#include "tools/capture_input.h"

#include "drivers/capture/capture_filter.h"
#include "drivers/capture/capture_reader.h"
#include "tools/failure.h"

namespace transom::tools {

CLI::Option* CaptureInput::add_to(CLI::App& command) {
  CLI::Option* capture =
      command.add_option("capture", path, "A pcap or pcapng file, perhaps packed; '-' is standard input")
          ->type_name("CAPTURE");
  command.add_option("filter", filter, "Which packets, as pcap-filter(7) says it: tcp port 80")
      ->type_name("EXPRESSION...");
  return capture;
}

std::uint64_t CaptureInput::read(const std::function<void(const drivers::CapturedPacket&)>& take) const {
  auto wanted = drivers::CaptureFilter::make(fmt::format("{}", fmt::join(filter, " ")));
  if (!wanted) fail(Exit::kUsage, "the filter '{}': {}", fmt::join(filter, " "), wanted.error());
  auto reader = drivers::CaptureReader::open(path);
  if (!reader) fail(Exit::kUsage, "{}: {}", path, to_string(reader.error()));
  while (true) {
    const auto packet = reader->next();
    if (!packet) fail(Exit::kUsage, "{}: {}", path, to_string(packet.error()));
    if (!*packet) return reader->dropped();
    if (wanted->wants(**packet)) take(**packet);
  }
}

}  // namespace transom::tools
