// A conversation of two TCPs that is made up packet by packet, and what a Judge says about it.
//
//   Talk talk;
//   talk.open();
//   talk.first({.flags = "PA", .length = 100});
//   talk.second({.ack = 201});
//   EXPECT_EQ(talk.verdict_of("rfc9293-3.10.7.4-ack-beyond-sent"), Verdict::kViolation);
//
// Numbers are positions: the SYN is 0, the first octet of text 1.
#pragma once

#include <gtest/gtest.h>

#include "drivers/judge/judge.h"
#include "tests/support/packets.h"

namespace transom::drivers::judge::test {

using transom::test::Octets;

struct Says {
  std::string flags = "A";        // of SAFRPUEW; N: none; a: AE
  std::optional<Position> seq{};  // default: behind what was sent
  std::optional<Position> ack{};  // default: all that the other end has sent
  std::uint16_t window = 65535;   // as on the wire
  std::size_t length = 0;         // octets of text
  std::uint8_t other_octets = 0;  // not 0: other text than belongs there
  Octets options{};               // in front of those below
  std::optional<std::uint16_t> mss{};
  std::optional<std::uint8_t> scale{};
  bool sack_permitted = false;
  std::optional<wire::TcpTimestamps> timestamps{};
  std::vector<PositionRange> sack{};
  std::optional<wire::FastOpenCookie> cookie{};
  std::uint8_t ecn = 0;
  std::uint16_t urgent = 0;
  std::uint8_t reserved = 0;          // of octet 12
  std::uint32_t raw_ack = 0;          // the field, where there is no ACK flag
  std::optional<std::uint16_t> id{};  // of IPv4; default: the next
  bool is_damaged = false;
  Duration after = std::chrono::milliseconds(1);  // since the packet before
};

class Talk {
 public:
  static constexpr std::uint16_t kMss = 1460;
  const Endpoint kFirst{IpAddress::v4(10, 0, 0, 1), Port{4000}};
  const Endpoint kSecond{IpAddress::v4(10, 0, 0, 2), Port{80}};

  explicit Talk(JudgeOptions options = {}) : judge_(std::move(options)) {}

  void first(const Says& says) { say(0, says); }
  void second(const Says& says) { say(1, says); }

  // The handshake; both SYNs as given, but for flags.
  void open(Says syn = {.mss = kMss}, Says answer = {.mss = kMss}) {
    if (syn.flags == "A") syn.flags = "S";
    if (answer.flags == "A") answer.flags = "SA";
    first(syn);
    second(answer);
    Says third;
    if (syn.timestamps && answer.timestamps)
      third.timestamps = {syn.timestamps->value + 1, answer.timestamps->value};
    first(third);
  }
  void open_with_timestamps() {
    open({.mss = kMss, .sack_permitted = true, .timestamps = wire::TcpTimestamps{100, 0}},
         {.mss = kMss, .sack_permitted = true, .timestamps = wire::TcpTimestamps{900, 100}});
  }
  void open_with_sack() {
    open({.mss = kMss, .sack_permitted = true}, {.mss = kMss, .sack_permitted = true});
  }
  void open_with_ecn() { open({.flags = "SEW", .mss = kMss}, {.flags = "SAE", .mss = kMss}); }
  // Another connection of the same endpoints.
  void begin_again(std::uint32_t first_number, std::uint32_t second_number);

  void wait(Duration duration) { now_ += duration; }
  // An IP packet that is no segment of this conversation.
  void packet(const Octets& octets, std::optional<std::size_t> kept = std::nullopt);
  // What was handed in last, once more: with another identification or checksums as they are.
  Octets last() const { return last_; }

  // Ends the talk.
  const std::vector<Finding>& findings();
  // The hardest verdict that the rule gave, if any.
  std::optional<Verdict> verdict_of(std::string_view rule);
  // "violation rfc9293-... frame 7: text", a line each.
  std::string text();

  Judge& judge() { return judge_; }
  static std::uint8_t octet_at(Position position) {
    return static_cast<std::uint8_t>(position * 7 + position / 251);
  }

 private:
  struct End {
    std::uint32_t number;
    Position sent = 0;
    std::uint16_t id;
  };
  void say(std::size_t side, const Says& says);

  Judge judge_;
  bool has_ended_ = false;
  std::array<End, 2> ends_{End{1000, 0, 100}, End{0xfffffff0, 0, 7000}};
  std::uint64_t frame_ = 0;
  Duration now_ = std::chrono::seconds(1000);
  Octets last_;
};

}  // namespace transom::drivers::judge::test
