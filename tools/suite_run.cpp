#include "tools/suite_run.h"

#include <algorithm>

#include "drivers/capture/capture_check.h"
#include "drivers/capture/capture_reader.h"
#include "drivers/judge/judge.h"
#include "tools/suite_packets.h"
#include "tools/suite_replay.h"

namespace transom::tools {

using drivers::CaptureReader;

namespace {

struct ReadInput {
  std::optional<drivers::CaptureError> error{};  // what ends the reading before the end of the file
  std::uint64_t dropped = 0;                     // CaptureReader::dropped()
};

// All packets of the input, handed to `take`.
template <typename Take>
ReadInput read_all(const SuiteCase& one, Take take) {
  auto reader = CaptureReader::open(one.input.string());
  if (!reader) return {reader.error()};
  for (std::size_t count = 0;; ++count) {
    auto packet = reader->next();
    if (!packet) return {packet.error()};
    if (!*packet) return {.dropped = reader->dropped()};
    if (count == kMaxSuitePackets)
      return {drivers::CaptureError{fmt::format("more than {} packets", kMaxSuitePackets), 0}};
    take(**packet);
  }
}

// What check-capture says. Problems: flaw (its name), count, first (the number of a packet), detail.
Records problems_of(drivers::CaptureCheck& check, std::uint64_t dropped) {
  Records records;
  for (const drivers::CaptureFinding& finding : check.finish(dropped).findings) {
    records.push_back({{"flaw", drivers::name_of(finding.flaw)},
                       {"count", finding.count},
                       {"first", finding.first_packet},
                       {"detail", finding.detail}});
  }
  return records;
}

// What each end did, by the rules of the RFCs. Findings: rule, section, verdict ("violation", "unknown",
// "legal"), frame, by (an address), from ("client", "server", "other"), text.
class Judged {
 public:
  Judged(const SuiteCase& one, const PacketRecorder& recorder)
      : client_(recorder.client()), server_(recorder.server()) {
    drivers::judge::JudgeOptions options;
    const std::string& here = one.taken_at == "client"   ? client_
                              : one.taken_at == "server" ? server_
                                                         : std::string();
    if (const auto address = IpAddress::parse(here)) options.captured_at.push_back(*address);
    drivers::judge::Judge judge(std::move(options));
    judge.missed(read_all(one, [&](const drivers::CapturedPacket& packet) { judge.take(packet); }).dropped);
    judge.end();
    for (const auto& finding : judge.findings()) add(finding);
  }
  Records take() { return std::move(records_); }

  // Nobody breaks a rule but those that may.
  static Check check(const SuiteCase& one, const Records& findings) {
    Check check{"nobody breaks a rule", {}};
    if (!one.culprits.empty()) check.name += fmt::format(" but {}", fmt::join(one.culprits, ", "));
    std::size_t broken = 0;
    for (const auto& finding : findings) {
      if (finding["verdict"] != "violation" ||
          std::ranges::find(one.culprits, finding["by"].get<std::string>()) != one.culprits.end())
        continue;
      if (++broken == 1)
        check.message = fmt::format("frame {}, {}: {} [{}]", finding["frame"].get<std::uint64_t>(),
                                    finding["by"].get<std::string>(), finding["text"].get<std::string>(),
                                    finding["rule"].get<std::string>());
    }
    if (broken > 1) check.message += fmt::format(", and {} more", broken - 1);
    return check;
  }

 private:
  void add(const drivers::judge::Finding& finding) {
    const std::string by = to_string(finding.from.address);
    records_.push_back({{"rule", finding.rule->id},
                        {"section", finding.rule->section},
                        {"verdict", to_string(finding.verdict)},
                        {"frame", finding.frame},
                        {"by", by},
                        {"from", by == client_   ? "client"
                                 : by == server_ ? "server"
                                                 : "other"},
                        {"text", finding.text.empty() ? std::string(finding.rule->title) : finding.text}});
  }

  std::string client_, server_;
  Records records_;
};

}  // namespace

std::size_t CaseResult::failures() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(checks, [](const Check& check) { return !check.holds(); }));
}

CaseResult run_case(const SuiteCase& one, bool accepts) {
  CaseResult result;
  result.name = one.name;
  result.reason = one.skip.empty() ? one.lacking : one.skip;
  if (!result.reason.empty()) {
    result.status = CaseResult::Status::kSkipped;
    return result;
  }
  RecordSets records;
  PacketRecorder recorder;
  drivers::CaptureCheck capture_check;
  const auto [error, dropped] = read_all(one, [&](const drivers::CapturedPacket& packet) {
    recorder.add(packet);
    capture_check.take(packet);
  });
  Records& errors = records["errors"];
  if (error) errors.push_back({{"message", error->message}, {"offset", error->offset}});
  if (!one.expectations.asks_for("errors"))
    result.checks.push_back({"the capture can be read", error ? error->message : ""});
  records["packets"] = recorder.take();
  records["problems"] = problems_of(capture_check, dropped);
  result.packets = records["packets"].size();
  if (one.judges) {
    records["findings"] = Judged(one, recorder).take();
    result.checks.push_back(Judged::check(one, records["findings"]));
  }
  if (!one.stack.empty()) {
    SuiteReplay replayed = replay_case(one, one.expectations.asks_for("events"), accepts);
    result.notes = std::move(replayed.notes);
    std::ranges::move(replayed.checks, std::back_inserter(result.checks));
    records["differences"] = std::move(replayed.differences);
    records["events"] = std::move(replayed.events);
  }
  std::ranges::move(one.expectations.judge(records), std::back_inserter(result.checks));
  if (result.failures() > 0) result.status = CaseResult::Status::kFailed;
  return result;
}

}  // namespace transom::tools
