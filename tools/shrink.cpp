// transom shrink: the smallest part of a capture in which transom judge finds the same.
#include "drivers/judge/shrink.h"

#include "drivers/capture/capture_writer.h"
#include "drivers/judge/ladder.h"
#include "tools/capture_input.h"
#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/text_file.h"

namespace transom::tools {

namespace {

namespace judge = drivers::judge;

struct ShrinkCommand {
  CaptureInput input;
  std::string rule, written, test;
  std::vector<std::string> captured_at;
  bool is_complete = false;
};

judge::JudgeOptions options_of(const ShrinkCommand& command) {
  judge::JudgeOptions options;
  options.is_complete = command.is_complete;
  for (const std::string& text : command.captured_at) {
    const auto address = IpAddress::parse(text);
    if (!address) fail(Exit::kUsage, "'{}' is no address; write --at 10.0.0.1", text);
    options.captured_at.push_back(*address);
  }
  return options;
}

std::vector<judge::KeptPacket> load(const ShrinkCommand& command) {
  constexpr std::size_t kMostOctets = std::size_t{1} << 30;
  std::vector<judge::KeptPacket> packets;
  std::size_t octets = 0;
  command.input.read([&](const drivers::CapturedPacket& packet) {
    octets += packet.octets.size() + sizeof(judge::KeptPacket);
    if (octets > kMostOctets)
      fail(Exit::kUsage, "{} is too large to be shrunk; choose a part by a filter", command.input.path);
    packets.emplace_back(packet);
  });
  return packets;
}

// The hardest finding, or the first of the rule that was asked for.
judge::Signature choose(const ShrinkCommand& command, const std::vector<judge::KeptPacket>& packets,
                        const judge::JudgeOptions& options) {
  if (!command.rule.empty() && judge::find_rule(command.rule) == nullptr)
    fail(Exit::kUsage, "no rule is called {}; see transom judge --rules", command.rule);
  judge::Judge judged(options);
  for (const judge::KeptPacket& packet : packets) judged.take(packet.view());
  judged.end();
  const judge::Finding* chosen = nullptr;
  for (const judge::Finding& finding : judged.findings()) {
    if (!command.rule.empty() && finding.rule->id != command.rule) continue;
    if (chosen == nullptr || finding.verdict > chosen->verdict) chosen = &finding;
  }
  if (chosen == nullptr)
    fail(Exit::kFailed, "nothing is found in {} that could be shrunk", command.input.path);
  return judge::Signature::of(*chosen);
}

int run(const ShrinkCommand& command) {
  const judge::JudgeOptions options = options_of(command);
  const std::vector<judge::KeptPacket> packets = load(command);
  const judge::Signature wanted = choose(command, packets, options);
  const std::vector<std::size_t> chosen = judge::shrink(packets, wanted, options);
  fmt::print("{} {} by {}{}{}\n{} [{}]\n{} of {} packets show it:\n\n", to_string(wanted.verdict),
             wanted.rule->id, to_string(wanted.from), wanted.state.empty() ? "" : ", ", wanted.state,
             wanted.rule->title, wanted.rule->section, chosen.size(), packets.size());
  const judge::LadderText text;
  judge::JudgeOptions drawing = options;
  drawing.on_segment = [&](const judge::SegmentEvent& event) {
    fmt::print("{}", text.line(judge::step_of(event), packets[chosen.front()].packet.time));
  };
  judge::Judge drawn(std::move(drawing));
  for (const std::size_t place : chosen) drawn.take(packets[place].view());
  if (!command.written.empty()) {
    auto writer = drivers::CaptureWriter::create(command.written);
    if (!writer) fail(Exit::kUsage, "{}", writer.error().message);
    for (const std::size_t place : chosen) {
      drivers::CapturedPacket packet = packets[place].view();
      packet.interface = 0;
      if (const auto done = writer->write(packet); !done)
        fail(Exit::kUsage, "{}: {}", command.written, done.error());
    }
    if (const auto done = writer->close(); !done) fail(Exit::kUsage, "{}: {}", command.written, done.error());
  }
  if (!command.test.empty())
    write_text_file(command.test, judge::as_test_case(packets, chosen, wanted), Exit::kUsage);
  return 0;
}

}  // namespace

void add_shrink(CLI::App& app, Selection& selected) {
  CLI::App* command =
      app.add_subcommand("shrink", "The smallest part of a capture in which judge finds the same");
  auto options = std::make_shared<ShrinkCommand>();
  options->input.add_to(*command)->required();
  command->add_option("--rule", options->rule, "What is to be found (default: the worst that is)")
      ->type_name("RULE");
  command->add_option("-w", options->written, "Write the packets into this capture")->type_name("FILE");
  command->add_option("--test", options->test, "Write a GoogleTest case into this file")->type_name("FILE");
  command->add_option("--at", options->captured_at, "As for transom judge; repeatable")
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  command->add_flag("--complete", options->is_complete, "As for transom judge");
  command->footer(
      "Example: transom shrink capture.pcapng --rule rfc9293-3.8.1-retransmission-differs -w small.pcap");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
