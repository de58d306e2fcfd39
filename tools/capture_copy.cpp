#include "tools/capture_copy.h"

#include <filesystem>

#include "tools/failure.h"

namespace transom::tools {

namespace {

std::vector<drivers::CaptureInterface> interfaces_of(const drivers::CaptureReader& reader, bool is_bare_ip) {
  std::vector<drivers::CaptureInterface> interfaces = reader.interfaces();
  if (is_bare_ip) {
    for (auto& interface : interfaces) interface.link_type = drivers::LinkType::kRaw;
  }
  return interfaces;
}

}  // namespace

void add_copy_options(CLI::App& command, CopyOptions& options) {
  command
      .add_option("-i,--infile,infile", options.input,
                  "The capture: pcap or pcapng, also .gz and .zst; '-' is standard input")
      ->type_name("FILE")
      ->required();
  command
      .add_option("-o,--outfile,outfile", options.output,
                  "The new one: pcap, or by its name pcapng, also .gz and .zst; '-' is standard output")
      ->type_name("FILE")
      ->required();
}

CopyResult copy_capture(const CopyOptions& options, const Change& change) {
  auto reader = drivers::CaptureReader::open(options.input);
  if (!reader) fail(Exit::kUsage, "{}: {}", options.input, drivers::to_string(reader.error()));
  std::error_code none;
  if (std::filesystem::equivalent(options.input, options.output, none))
    fail(Exit::kUsage, "{} cannot be read and written at once; name another file for the result",
         options.input);
  std::optional<drivers::CaptureFormat> format;
  if (reader->format() == drivers::CaptureFormat::kPcapMicroseconds &&
      drivers::CaptureWriter::format_of(options.output) != drivers::CaptureFormat::kPcapng)
    format = reader->format();
  auto writer = drivers::CaptureWriter::create(options.output, format);
  if (!writer) fail(Exit::kFailed, "{}", writer.error().message);

  CopyResult result;
  if (options.keeps_other_blocks) {
    reader->keep_other_blocks([&](const drivers::OtherBlock& block) {
      writer->add_interfaces(interfaces_of(*reader, options.is_bare_ip));
      if (!writer->write(block)) ++result.blocks_left_out;
    });
  }
  const Emit emit = [&](const drivers::CapturedPacket& packet) {
    if (const auto written = writer->write(packet); !written)
      fail(Exit::kUsage, "{}: {}", options.output, written.error());
    ++result.written;
  };
  std::expected<std::optional<drivers::CapturedPacket>, drivers::CaptureError> packet;
  std::size_t known = 0;
  while ((packet = reader->next()) && *packet) {
    if (reader->interfaces().size() != known) {
      known = reader->interfaces().size();
      writer->add_interfaces(interfaces_of(*reader, options.is_bare_ip));
    }
    ++result.read;
    change(**packet, emit);
  }
  if (const auto closed = writer->close(); !closed)
    fail(Exit::kFailed, "{} is not complete: {}; make room on the disk", options.output, closed.error());
  if (!packet) fail(Exit::kUsage, "{}: {}", options.input, drivers::to_string(packet.error()));
  return result;
}

}  // namespace transom::tools
