#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "tools/golden_record.h"

namespace transom::tools {

using drivers::replay::Likeness;
using drivers::replay::PacketRecord;

namespace {

class Differ {
 public:
  std::vector<GoldenDifference> run(const GoldenRecord& golden, const GoldenRecord& actual) && {
    if (golden.role != actual.role) add(Likeness::kUnknown, "role", golden.role, actual.role);
    const std::size_t common = std::min(golden.flows.size(), actual.flows.size());
    for (number_ = 0; number_ < common; ++number_) flow(golden.flows[number_], actual.flows[number_]);
    if (golden.flows.size() != actual.flows.size())
      found_.push_back({Likeness::kViolation, fmt::format("{} flows in the golden record, {} now",
                                                          golden.flows.size(), actual.flows.size())});
    return std::move(found_);
  }

 private:
  void add(Likeness verdict, std::string_view what, std::string_view golden, std::string_view actual) {
    found_.push_back(
        {verdict, fmt::format("flow {}: {} was '{}', is now '{}'", number_, what, golden, actual)});
  }

  void flow(const GoldenFlow& golden, const GoldenFlow& actual) {
    const auto field = [&](Likeness verdict, std::string_view what, const std::string& was,
                           const std::string& is) {
      if (was != is) add(verdict, what, was, is);
    };
    field(Likeness::kUnknown, "protocol", golden.protocol, actual.protocol);
    field(Likeness::kUnknown, "our end", golden.ours, actual.ours);
    field(Likeness::kUnknown, "their end", golden.theirs, actual.theirs);
    const auto number = [](const std::optional<std::uint32_t>& value) {
      return value ? fmt::format("{}", *value) : std::string("none");
    };
    // RFC 9293 §3.4.1: each end chooses it.
    field(Likeness::kLegal, "the initial sequence number", number(golden.initial), number(actual.initial));
    field(Likeness::kViolation, "what it waited for", golden.stall, actual.stall);
    if (golden.read != actual.read || golden.octets_are_equal != actual.octets_are_equal) {
      const auto read = [](const GoldenFlow& flow) {
        return fmt::format("{} octets, {}", flow.read, flow.octets_are_equal ? "equal" : "NOT equal");
      };
      add(actual.octets_are_equal ? Likeness::kUnknown : Likeness::kViolation, "what the application read",
          read(golden), read(actual));
    }
    const auto rules = [](const GoldenFlow& flow) {
      return fmt::format("{}", fmt::join(flow.findings, " "));
    };
    field(actual.findings.size() > golden.findings.size() ? Likeness::kViolation : Likeness::kLegal,
          "rules that were broken", rules(golden), rules(actual));
    packets(golden.packets, actual.packets);
    packets(golden.theirs_sent, actual.theirs_sent);
    field(actual.verdict == "violation" ? Likeness::kViolation : Likeness::kLegal, "the verdict",
          golden.verdict, actual.verdict);
  }

  void packets(const std::vector<PacketRecord>& golden, const std::vector<PacketRecord>& actual) {
    const auto compared = drivers::replay::compare(golden, actual);
    const auto text = [](const std::optional<PacketRecord>& packet) {
      return packet ? describe(*packet) : std::string("nothing");
    };
    for (const auto& rung : compared.rungs) {
      for (const auto* const difference : rung.differences)
        found_.push_back({difference->verdict,
                          fmt::format("flow {}: {}: was '{}', is now '{}' [{}]", number_, difference->title,
                                      text(rung.recorded), text(rung.actual), difference->section)});
      // A record that was written without is held against nothing.
      if (rung.recorded && rung.actual && rung.recorded->identification && rung.actual->identification &&
          rung.recorded->identification != rung.actual->identification)
        found_.push_back(
            {Likeness::kLegal,
             fmt::format("flow {}: '{}' had the identification {}, has now {} [RFC 6864 §4.1]", number_,
                         text(rung.actual), *rung.recorded->identification, *rung.actual->identification)});
      // RFC 6298, RFC 9293 §3.8.6.3: timers differ between implementations, not between runs of one.
      if (rung.recorded && rung.actual && rung.recorded->time != rung.actual->time)
        found_.push_back(
            {Likeness::kLegal,
             fmt::format("flow {}: '{}' was sent at {} ns, is now at {} ns", number_, text(rung.actual),
                         rung.recorded->time.count(), rung.actual->time.count())});
    }
  }

  std::size_t number_ = 0;
  std::vector<GoldenDifference> found_;
};

}  // namespace

std::vector<GoldenDifference> differences(const GoldenRecord& golden, const GoldenRecord& actual) {
  return Differ().run(golden, actual);
}

Likeness worst_of(std::span<const GoldenDifference> differences) {
  Likeness worst = Likeness::kSame;
  for (const GoldenDifference& difference : differences) worst = std::max(worst, difference.verdict);
  return worst;
}

}  // namespace transom::tools
