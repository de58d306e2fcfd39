// transom shrink: the smallest capture in which transom judge finds the same, or at which our stack fails the
// same way.
#include "drivers/shrink/shrink.h"

#include <algorithm>

#include "drivers/capture/capture_writer.h"
#include "drivers/judge/ladder.h"
#include "drivers/judge/signature.h"
#include "drivers/replay/feed_failures.h"
#include "tools/capture_input.h"
#include "tools/commands.h"
#include "tools/failure.h"
#include "tools/text_file.h"

namespace transom::tools {

namespace {

namespace judge = drivers::judge;
namespace replay = drivers::replay;
using Packets = std::vector<drivers::KeptPacket>;

struct ShrinkCommand {
  CaptureInput input;
  std::string rule, as, written, test;
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

Packets load(const ShrinkCommand& command) {
  constexpr std::size_t kMostOctets = std::size_t{1} << 30;
  Packets packets;
  std::size_t octets = 0;
  command.input.read([&](const drivers::CapturedPacket& packet) {
    octets += packet.octets.size() + sizeof(drivers::KeptPacket);
    if (octets > kMostOctets)
      fail(Exit::kUsage, "{} is too large to be shrunk; choose a part by a filter", command.input.path);
    packets.emplace_back(packet);
  });
  return packets;
}

// What has to stay, and what the answer needs of it.
struct Target {
  std::string heading;
  drivers::ShrinkOptions options{};
  drivers::StillShows shows;
  std::function<std::string(const Packets&)> as_test;
};

// The hardest finding, or the first of the rule that was asked for.
Target finding_of_judge(const ShrinkCommand& command, const Packets& packets) {
  if (!command.rule.empty() && judge::find_rule(command.rule) == nullptr)
    fail(Exit::kUsage, "no rule is called {}; see transom judge --rules", command.rule);
  const judge::JudgeOptions options = options_of(command);
  const std::vector<judge::Finding> findings = judge::judge_all(packets, options);
  const judge::Finding* chosen = nullptr;
  for (const judge::Finding& finding : findings) {
    if (!command.rule.empty() && finding.rule->id != command.rule) continue;
    if (chosen == nullptr || finding.verdict > chosen->verdict) chosen = &finding;
  }
  if (chosen == nullptr)
    fail(Exit::kFailed, "nothing is found in {} that could be shrunk", command.input.path);
  const auto wanted = judge::Signature::of(*chosen);
  return {.heading = fmt::format("{} {} by {}{}{}\n{} [{}]", to_string(wanted.verdict), wanted.rule->id,
                                 to_string(wanted.from), wanted.state.empty() ? "" : ", ", wanted.state,
                                 wanted.rule->title, wanted.rule->section),
          .options = {.between = std::pair(chosen->from, chosen->to)},
          .shows = [=](const Packets& some) { return wanted.is_found_in(some, options); },
          .as_test = [=](const Packets& some) { return judge::as_test(wanted, some, options); }};
}

// What the stack, fed with it, does wrong: the first rule that it breaks, or else the first difference.
Target failure_of_stack(const ShrinkCommand& command, const Packets& packets) {
  const auto role = replay::Role::parse(command.as);
  if (!role) fail(Exit::kUsage, "--as: {}", role.error());
  const auto failures = replay::feed_failures(packets, *role);
  if (!failures) fail(Exit::kUsage, "{} as {}: {}", command.input.path, command.as, failures.error());
  const auto chosen = std::ranges::find_if(
      *failures, [&](const auto& failure) { return command.rule.empty() || failure.id == command.rule; });
  if (chosen == failures->end())
    fail(Exit::kFailed, "the stack does nothing wrong with {} that could be shrunk", command.input.path);
  constexpr std::size_t kTries = 5000;  // a feed is more work than a judge's look
  return {
      .heading = fmt::format("violation {} by the stack as {}{}{}\n{}{}", chosen->id, to_string(chosen->from),
                             chosen->state.empty() ? "" : ", ", chosen->state, chosen->title,
                             chosen->section.empty() ? "" : fmt::format(" [{}]", chosen->section)),
      .options = {.tries = kTries, .between = std::pair(chosen->from, chosen->to)},
      .shows =
          [wanted = *chosen, role = *role](const Packets& some) {
            const auto now = replay::feed_failures(some, role);
            return now &&
                   std::ranges::any_of(*now, [&](const auto& failure) { return failure.is_same(wanted); });
          },
      .as_test = [wanted = *chosen,
                  as = command.as](const Packets& some) { return replay::as_test(wanted, some, as); }};
}

void draw(const Packets& packets, judge::JudgeOptions options) {
  const judge::LadderText text;
  options.on_segment = [&](const judge::SegmentEvent& event) {
    fmt::print("{}", text.line(judge::step_of(event), packets.front().packet().time));
  };
  judge::Judge drawn(std::move(options));
  for (const drivers::KeptPacket& kept : packets) drawn.take(kept.packet());
}

void write_capture(const std::string& path, const Packets& packets) {
  auto writer = drivers::CaptureWriter::create(path);
  if (!writer) fail(Exit::kUsage, "{}", writer.error().message);
  for (const drivers::KeptPacket& kept : packets) {
    drivers::CapturedPacket packet = kept.packet();
    packet.interface = 0;
    if (const auto done = writer->write(packet); !done) fail(Exit::kUsage, "{}: {}", path, done.error());
  }
  if (const auto done = writer->close(); !done) fail(Exit::kUsage, "{}: {}", path, done.error());
}

std::size_t octets_of(const Packets& packets) {
  std::size_t octets = 0;
  for (const drivers::KeptPacket& kept : packets) octets += kept.packet().octets.size();
  return octets;
}

int run(const ShrinkCommand& command) {
  const Packets packets = load(command);
  const Target target =
      command.as.empty() ? finding_of_judge(command, packets) : failure_of_stack(command, packets);
  const Packets shrunk = drivers::shrink(packets, target.options, target.shows);
  if (shrunk.empty()) fail(Exit::kFailed, "{} shows it in one run and not in the next", command.input.path);
  fmt::print("{}\n{} of {} packets show it, {} of {} octets:\n\n", target.heading, shrunk.size(),
             packets.size(), octets_of(shrunk), octets_of(packets));
  draw(shrunk, options_of(command));
  if (!command.written.empty()) write_capture(command.written, shrunk);
  if (command.test == "-") {
    fmt::print("\n{}", target.as_test(shrunk));
  } else if (!command.test.empty()) {
    write_text_file(command.test, target.as_test(shrunk), Exit::kUsage);
  }
  return 0;
}

}  // namespace

void add_shrink(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("shrink", "The smallest capture that still shows the same fault");
  auto options = std::make_shared<ShrinkCommand>();
  options->input.add_to(*command)->required();
  command->add_option("--rule", options->rule, "What is to stay (default: the worst that is found)")
      ->type_name("RULE");
  CLI::Option* const as =
      command->add_option("--as", options->as,
                          "Feed it to the stack in this place (server, client, an address), as transom "
                          "replay does, and keep what that does wrong");
  as->type_name("END");
  command->add_option("-w", options->written, "Write the packets into this capture")->type_name("FILE");
  command
      ->add_option("--test", options->test, "Write a GoogleTest case into this file; '-' is standard output")
      ->type_name("FILE");
  command->add_option("--at", options->captured_at, "As for transom judge; repeatable")
      ->type_name("ADDRESS")
      ->allow_extra_args(false)
      ->excludes(as);
  command->add_flag("--complete", options->is_complete, "As for transom judge")->excludes(as);
  command->footer(
      "Examples: transom shrink capture.pcapng --rule rfc9293-3.8.1-retransmission-differs -w small.pcap\n"
      "          transom shrink failing.pcapng --as server -w small.pcap --test small_test.cpp");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
