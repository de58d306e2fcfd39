#include "tools/suite_draft.h"

#include <array>
#include <map>

#include "drivers/capture/capture_reader.h"
#include "tools/failure.h"
#include "tools/suite_packets.h"
#include "tools/text_file.h"

namespace transom::tools {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Whether the name says pcap or pcapng, perhaps compressed: what is kept of it.
std::string input_name(const fs::path& capture) {
  const std::string name = capture.filename().string();
  for (const std::string_view kind : {".pcapng", ".pcap"}) {
    for (const std::string_view packed : {"", ".gz", ".zst"}) {
      const std::string end = fmt::format("{}{}", kind, packed);
      if (name.ends_with(end)) return "input" + end;
    }
  }
  return "input.pcapng";
}

Records read_packets(const fs::path& capture) {
  auto reader = drivers::CaptureReader::open(capture.string());
  if (!reader)
    fail(Exit::kUsage, "{}: {} (octet {})", capture.string(), reader.error().message, reader.error().offset);
  PacketRecorder recorder;
  while (true) {
    auto packet = reader->next();
    if (!packet)
      fail(Exit::kUsage, "{}: {} (octet {})", capture.string(), packet.error().message,
           packet.error().offset);
    if (!*packet) return recorder.take();
    recorder.add(**packet);
  }
}

}  // namespace

std::string draft_toml(const std::string& input, const std::vector<json>& packets) {
  std::string text = fmt::format("shows = \"What this capture shows.\"\ninput = \"{}\"\n", input);
  const bool has_syn =
      std::ranges::any_of(packets, [](const json& packet) { return packet.value("flags", "") == "S"; });
  if (has_syn) text += "\n[replay]\nstack = \"server\"\n";
  // How many there are of each kind.
  std::map<std::string, std::size_t> counts;
  for (const json& packet : packets) {
    if (!packet.contains("protocol")) continue;
    std::string kind = fmt::format("protocol = {}", packet["protocol"].dump());
    for (const char* const field : {"from", "flags", "type"})
      if (packet.contains(field)) kind += fmt::format(", {} = {}", field, packet[field].dump());
    ++counts[kind];
  }
  for (const auto& [kind, count] : counts)
    text += fmt::format("\n[[expect]]\nof = \"packets\"\nwhere = {{ {} }}\ncount = {}\n", kind, count);
  if (has_syn) {
    text +=
        "\n[[order]]\nof = \"packets\"\nsteps = [{ from = \"client\", \"flags.startswith\" = \"S\" }, { from "
        "= \"server\" }]\n";
  }
  return text;
}

void draft_case(const fs::path& folder, const fs::path& capture) {
  std::error_code error;
  if (fs::exists(folder, error)) fail(Exit::kUsage, "{} exists already", folder.string());
  const Records packets = read_packets(capture);
  fs::create_directories(folder, error);
  const std::string input = input_name(capture);
  if (!error) fs::copy_file(capture, folder / input, error);
  if (error) fail(Exit::kEnvironment, "cannot write {}: {}", folder.string(), error.message());
  write_text_file(folder / "case.toml", draft_toml(input, packets), Exit::kEnvironment);
  write_text_file(
      folder / "README.md",
      fmt::format("# {}\n\nWhat this capture shows, where it is from, and how to make it again.\n",
                  folder.filename().string()),
      Exit::kEnvironment);
}

}  // namespace transom::tools
