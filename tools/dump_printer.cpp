#include "tools/dump_printer.h"

#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "drivers/capture/packet_view.h"
#include "drivers/capture/text/hex_text.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

// A comment is whatever a file says: nothing of it may move the cursor of a terminal.
std::string printable(std::string_view text) {
  std::string clean;
  for (const char character : text) {
    const auto octet = static_cast<unsigned char>(character);
    if (octet == '\n')
      clean += "\n           ";
    else if (octet < 0x20 || octet == 0x7f)
      clean += fmt::format("^{}", static_cast<char>(octet ^ 0x40));
    else
      clean += character;
  }
  return clean;
}

}  // namespace

DumpPrinter::DumpPrinter(DumpStyle style)
    : style_(std::move(style)),
      text_({.link_header = style_.link_header,
             .verbosity = style_.verbosity,
             .absolute_numbers = style_.absolute_numbers,
             .hides_unknown = style_.hex > 0 || style_.hex_and_characters > 0 || style_.characters > 0}) {
  if (!style_.file) return;
  auto writer = drivers::CaptureWriter::create(*style_.file);
  if (!writer) fail(Exit::kFailed, "{}", writer.error().message);
  writer_.emplace(std::move(*writer));
}

void DumpPrinter::print(const drivers::CapturedPacket& packet,
                        const std::vector<drivers::CaptureInterface>& interfaces) {
  if (writer_) {
    writer_->add_interfaces(interfaces);
    if (const auto written = writer_->write(packet); !written) fail(Exit::kUsage, "{}", written.error());
    return;
  }
  std::string interface = packet.interface < interfaces.size() ? interfaces[packet.interface].name : "";
  if (interface.empty()) interface = fmt::format("{}", packet.interface);
  if (style_.as_json) return print_json(packet, printable(interface));
  std::string line;
  if (style_.numbers) line += fmt::format("{:5}  ", packet.number);
  line += time_text(packet.time);
  if (style_.interface_names)
    line += fmt::format("{} {} ", printable(interface),
                        packet.is_outgoing ? (*packet.is_outgoing ? "Out" : "In") : "?");
  line += text_.line(packet);
  line += octets_text(packet);
  fmt::print("{}\n", line);
  if (!style_.why) return;
  for (const std::string& comment : packet.comments) explain(comment);
}

void DumpPrinter::explain(std::string_view comment) const {
  fmt::print("      why: {}\n", printable(comment));
}

void DumpPrinter::print_json(const drivers::CapturedPacket& packet, const std::string& interface) {
  const auto [seconds, nanoseconds] = std::div(packet.time.count(), std::int64_t{1'000'000'000});
  nlohmann::ordered_json line = {
      {"number", packet.number},          {"time", fmt::format("{}.{:09}", seconds, std::abs(nanoseconds))},
      {"interface", interface},           {"length", packet.original_length},
      {"captured", packet.octets.size()}, {"packet", text_.line(packet)}};
  if (packet.is_outgoing) line["direction"] = *packet.is_outgoing ? "Out" : "In";
  if (style_.why) line["why"] = packet.comments;
  // Comments need not be UTF-8.
  fmt::print("{}\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void DumpPrinter::flush() {
  if (!writer_) {
    std::fflush(stdout);
    return;
  }
  if (const auto flushed = writer_->flush(); !flushed)
    fail(Exit::kFailed, "{} is not complete: {}; make room on the disk", *style_.file, flushed.error());
}

void DumpPrinter::close() {
  if (!writer_) return flush();
  if (const auto closed = writer_->close(); !closed)
    fail(Exit::kFailed, "{} is not complete: {}; make room on the disk", *style_.file, closed.error());
  writer_.reset();
}

// tcpdump(1): -t none, -tt seconds, -ttt since the line before, -tttt with the date, -ttttt since the first.
std::string DumpPrinter::time_text(Duration time) {
  // Differences are those of the times as they are shown.
  if (!style_.nanoseconds) time = std::chrono::floor<std::chrono::microseconds>(time);
  first_ = first_.value_or(time);
  const Duration before = last_.value_or(time);
  last_ = time;
  const auto fraction = [&](Duration of) {
    const auto rest = (of - std::chrono::floor<std::chrono::seconds>(of)).count();
    return style_.nanoseconds ? fmt::format("{:09}", rest) : fmt::format("{:06}", rest / 1000);
  };
  switch (style_.time) {
    case 1:
      return {};
    case 2:
      return fmt::format("{}.{} ", std::chrono::floor<std::chrono::seconds>(time).count(), fraction(time));
    case 3:
    case 5: {
      const Duration passed = time - (style_.time == 3 ? before : *first_);
      const Duration size = passed < Duration::zero() ? -passed : passed;
      const auto seconds = std::chrono::floor<std::chrono::seconds>(size).count();
      return fmt::format("{}{:02}:{:02}:{:02}.{} ", passed < Duration::zero() ? "-" : " ", seconds / 3600,
                         seconds / 60 % 60, seconds % 60, fraction(size));
    }
    default: {
      const auto second = static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(time).count());
      std::tm local{};
      localtime_r(&second, &local);
      std::string date;
      if (style_.time >= 4)
        date = fmt::format("{:04}-{:02}-{:02} ", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday);
      return fmt::format("{}{:02}:{:02}:{:02}.{} ", date, local.tm_hour, local.tm_min, local.tm_sec,
                         fraction(time));
    }
  }
}

std::string DumpPrinter::octets_text(const drivers::CapturedPacket& packet) const {
  const auto link = drivers::parse_link(packet);
  const Bytes behind_link = packet.octets.subspan(link ? link->network_offset : 0);
  const auto chosen = [&](int times) { return times > 1 ? packet.octets : behind_link; };
  if (style_.characters > 0) return drivers::character_text(chosen(style_.characters));
  if (style_.hex_and_characters > 0) return drivers::hex_text(chosen(style_.hex_and_characters), true);
  if (style_.hex > 0) return drivers::hex_text(chosen(style_.hex), false);
  return {};
}

}  // namespace transom::tools
