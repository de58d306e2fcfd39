// The captures of the collection: the kernel and the programs in them break no rule, whatever the network
// did. What is found wrong is what an attacker sent, under its own address or that of the client, 192.0.2.1.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "drivers/capture/capture_reader.h"
#include "drivers/judge/judge.h"

namespace transom::drivers::judge::test {
namespace {

// "rule frame 7: text" for each violation that `is_wrong` picks.
std::string violations(const std::filesystem::path& directory, bool (*is_wrong)(const Finding&)) {
  std::string text;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("input.")) continue;
    auto reader = CaptureReader::open(entry.path());
    if (!reader) return fmt::format("{} cannot be read", name);
    Judge judge;
    while (true) {
      const auto packet = reader->next();
      if (!packet || !*packet) break;
      judge.take(**packet);
    }
    judge.end();
    for (const Finding& finding : judge.findings())
      if (finding.verdict == Verdict::kViolation && is_wrong(finding))
        text += fmt::format("{} frame {}: {}\n", finding.rule->id, finding.frame, finding.text);
  }
  return text;
}

TEST(JudgeCollection, NobodyButAnAttackerBreaksARule) {
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TRANSOM_SOURCE_DIR "/captures")) {
    if (!entry.is_directory()) continue;
    ++seen;
    const std::string name = entry.path().filename();
    const bool is_attack = name.starts_with("attack-");
    const auto anybody = [](const Finding&) { return true; };
    const auto the_victim = [](const Finding& finding) {
      return finding.from.address == IpAddress::v4(192, 0, 2, 2);
    };
    EXPECT_EQ(violations(entry.path(), is_attack ? +the_victim : +anybody), "") << name;
  }
  EXPECT_GE(seen, 60U);
}

// Where the case says that its capture was taken: the address of the server or of the client; empty for
// neither.
std::vector<IpAddress> taken_at(const std::filesystem::path& directory) {
  std::ifstream file(directory / "case.toml");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  for (const auto& [where, last] : {std::pair("\"client\"", 1), std::pair("\"server\"", 2)}) {
    if (text.find(fmt::format("\ntaken_at = {}\n", where)) == std::string::npos) continue;
    return {IpAddress::v4(192, 0, 2, static_cast<std::uint8_t>(last)),
            *IpAddress::parse(fmt::format("2001:db8::{}", last))};
  }
  return {};
}

// The same, but the capture has missed one packet in eight: that explains what is not there, and nobody is
// accused; also when the judge is told where it was taken.
TEST(JudgeCollection, NobodyIsAccusedOfWhatTheCaptureHasMissed) {
  std::minstd_rand chance(2);
  for (const auto& entry : std::filesystem::directory_iterator(TRANSOM_SOURCE_DIR "/captures")) {
    if (!entry.is_directory() || entry.path().filename().string().starts_with("attack-")) continue;
    // A mirror that shows packets twice, and late, is at no host.
    const bool is_at_a_host = entry.path().filename() != "capture-mirrored-twice";
    for (int round = 0; round < 6; ++round) {
      JudgeOptions options;
      if (round % 2 == 1 && is_at_a_host) options.captured_at = taken_at(entry.path());
      Judge judge(std::move(options));
      std::vector<std::uint64_t> missed;
      for (const auto& file : std::filesystem::directory_iterator(entry.path())) {
        if (!file.path().filename().string().starts_with("input.")) continue;
        auto reader = CaptureReader::open(file.path());
        while (reader) {
          const auto packet = reader->next();
          if (!packet || !*packet) break;
          if (chance() % 8 == 0)
            missed.push_back((*packet)->number);
          else
            judge.take(**packet);
        }
      }
      judge.end();
      for (const Finding& finding : judge.findings()) {
        EXPECT_NE(finding.verdict, Verdict::kViolation)
            << entry.path().filename() << (round % 2 == 1 ? " at its end" : "") << ", frame " << finding.frame
            << ", " << finding.rule->id << ": " << finding.text
            << "; missed: " << fmt::format("{}", fmt::join(missed, " "));
      }
    }
  }
}

// The same with octets turned at random, of headers above all: nothing must happen but findings.
TEST(JudgeCollection, MutilatedCapturesDoNoHarm) {
  std::minstd_rand chance(1);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(TRANSOM_SOURCE_DIR "/captures")) {
    if (!entry.path().filename().string().starts_with("input.")) continue;
    auto reader = CaptureReader::open(entry.path());
    if (!reader) continue;
    Judge judge({.max_connections = 8, .max_findings = 50});
    while (true) {
      const auto packet = reader->next();
      if (!packet || !*packet) break;
      std::vector<std::uint8_t> octets((*packet)->octets.begin(), (*packet)->octets.end());
      for (int turns = 0; turns < 2 && !octets.empty(); ++turns)
        octets[chance() % std::min<std::size_t>(octets.size(), 90)] ^= static_cast<std::uint8_t>(chance());
      CapturedPacket mutilated = **packet;
      octets.resize(chance() % 4 == 0 ? chance() % (octets.size() + 1) : octets.size());
      mutilated.octets = octets;
      judge.take(mutilated);
    }
    judge.end();
    EXPECT_LE(judge.findings().size(), 50U);
  }
}

}  // namespace
}  // namespace transom::drivers::judge::test
