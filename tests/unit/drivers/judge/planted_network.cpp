// In what the network has to bear: retransmission, congestion, ECN.
#include "tests/unit/drivers/judge/planted.h"

namespace transom::drivers::judge::test {
namespace {

using namespace std::chrono_literals;
using transom::test::operator+;

void repeat(Talk& talk, std::initializer_list<Duration> gaps) {
  talk.open();
  talk.first({.length = 500});
  for (const Duration gap : gaps) talk.first({.seq = 1, .length = 500, .after = gap});
}

// The timeout doubles, the segment is acknowledged at last; the next one is lost, too, and sent again `after`
// so long.
void repeat_and_again(Talk& talk, Duration after) {
  repeat(talk, {1s, 2s});
  talk.second({});
  talk.first({.length = 500});
  talk.first({.seq = 501, .length = 500, .after = after});
}

// A fast retransmission with ten segments in flight, and so many in the round trip behind it.
void recover(Talk& talk, int segments) {
  talk.open();
  for (int i = 0; i < 10; ++i) talk.first({.length = 1460});
  for (int i = 0; i < 3; ++i) talk.second({.ack = 1});
  talk.first({.seq = 1, .length = 1460});
  talk.second({});
  for (int i = 0; i < segments; ++i) talk.first({.length = 1460});
}

void slow_start(Talk& talk, int segments_for_each) {
  talk.open();
  for (int i = 0; i < 10; ++i) talk.first({.length = 1460});
  for (int i = 0; i < 10; ++i) {
    talk.second({.ack = 1 + 1460 * (i + 1)});
    for (int k = 0; k < segments_for_each; ++k) talk.first({.length = 1460});
  }
}

void ecn_echo(Talk& talk, bool echoes) {
  talk.open_with_ecn();
  talk.first({.length = 500, .ecn = 3});
  talk.second({.flags = echoes ? "AE" : "A"});
}

void ece_rounds(Talk& talk, bool answers) {
  talk.open_with_ecn();
  talk.first({.length = 500, .ecn = 3});
  talk.second({.flags = "AE", .length = 1});
  for (int i = 0; i < 6; ++i) {
    talk.first({.flags = answers && i == 0 ? "AW" : "A", .length = 500, .ecn = 2});
    talk.second({.flags = answers ? "A" : "AE", .length = 1});
  }
}

// A recovery, the round trip behind it, and so many segments in flight in the next.
void grow_after_recovery(Talk& talk, int segments) {
  recover(talk, 7);
  talk.second({});
  for (int i = 0; i < segments; ++i) talk.first({.length = 1460});
}

// Accurate ECN: `answer` is what the SYN-ACK says of the SYN, `third` what the client says of that.
void open_accurate(Talk& talk, const char* answer = "SAW", const char* third = "AW") {
  talk.first({.flags = "SEWa", .mss = Talk::kMss});
  talk.second({.flags = answer, .mss = Talk::kMss});
  talk.first({.flags = third});
}

// Its option, which says how many octets came with ECT(0), CE and ECT(1).
Octets octets_seen(std::uint32_t ect0, std::uint32_t ce, std::uint32_t ect1, bool ect1_first = false) {
  Octets option{static_cast<std::uint8_t>(ect1_first ? 174 : 172), 11};
  for (const std::uint32_t field : {ect1_first ? ect1 : ect0, ce, ect1_first ? ect0 : ect1})
    for (const int shift : {16, 8, 0}) option.push_back(static_cast<std::uint8_t>(field >> shift));
  option.push_back(1);
  return option;
}

const Planted kPlanted[] = {
    // --- TCP: retransmission and congestion
    {"NoBackOff", "rfc6298-5.5-no-back-off", kViolation,
     [](Talk& talk) { repeat(talk, {1s, 1s, 1s, 1s, 1s}); },
     [](Talk& talk) { repeat(talk, {1s, 2s, 4s, 8s, 16s, 32s}); }},
    {"BackOffForgotten", "rfc6298-3-back-off-forgotten", kViolation,
     [](Talk& talk) { repeat_and_again(talk, 1s); }, [](Talk& talk) { repeat_and_again(talk, 4s); },
     at_first()},
    {"RetransmitsBeforeTheRoundTrip", "rfc6298-2-before-round-trip", kLegal,
     [](Talk& talk) {
       talk.open({}, {.after = 100ms});
       talk.first({.length = 100});
       talk.second({.after = 100ms});
       talk.first({.length = 100});
       talk.first({.seq = 101, .length = 100, .after = 20ms});
     },
     [](Talk& talk) {
       talk.open({}, {.after = 100ms});
       talk.first({.length = 100});
       talk.second({.after = 100ms});
       talk.first({.length = 100});
       talk.first({.seq = 101, .length = 100, .after = 300ms});
     }},
    {"LargeFirstFlight", "rfc6928-2-initial-window", kLegal,
     [](Talk& talk) {
       talk.open();
       for (int i = 0; i < 12; ++i) talk.first({.length = 1460});
     },
     [](Talk& talk) {
       talk.open();
       for (int i = 0; i < 10; ++i) talk.first({.length = 1460});
     }},
    {"SlowStartTooFast", "rfc5681-3.1-slow-start", kLegal, [](Talk& talk) { slow_start(talk, 3); },
     [](Talk& talk) { slow_start(talk, 2); }},
    {"NoLossWindow", "rfc5681-3.1-loss-window", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100});
       talk.second({});
       for (int i = 0; i < 8; ++i) talk.first({.length = 1460});
       talk.wait(2s);
       for (int i = 0; i < 8; ++i) talk.first({.seq = 101 + i * 1460, .length = 1460});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100});
       talk.second({});
       for (int i = 0; i < 8; ++i) talk.first({.length = 1460});
       talk.wait(2s);
       talk.first({.seq = 101, .length = 1460});
       talk.second({.ack = 1561});
       for (int i = 1; i < 3; ++i) talk.first({.seq = 101 + i * 1460, .length = 1460});
     },
     at_first()},

    {"WindowKept", "rfc5681-3.2-window-kept", kLegal, [](Talk& talk) { recover(talk, 11); },
     [](Talk& talk) { recover(talk, 7); }, at_first()},

    {"GrowsFasterThanSlowStart", "rfc5681-3.1-growth-after-loss", kLegal,
     [](Talk& talk) { grow_after_recovery(talk, 35); }, [](Talk& talk) { grow_after_recovery(talk, 22); },
     at_first()},
    {"GrowsAfterTheWindowOpened", "rfc5681-3.1-growth-after-loss", kLegal,
     [](Talk& talk) { grow_after_recovery(talk, 35); },
     [](Talk& talk) {  // the peer's window was the limit before: of the network's nothing is known
       talk.open({.mss = Talk::kMss}, {.window = 14600, .mss = Talk::kMss});
       for (int i = 0; i < 10; ++i) talk.first({.length = 1460});
       for (int i = 0; i < 3; ++i) talk.second({.ack = 1, .window = 14600});
       talk.first({.seq = 1, .length = 1460});
       talk.second({.window = 14600});
       for (int i = 0; i < 7; ++i) talk.first({.length = 1460});
       talk.second({});
       for (int i = 0; i < 35; ++i) talk.first({.length = 1460});
     },
     at_first()},

    // --- TCP: ECN
    {"EctNotAgreed", "rfc3168-6.1.1-ect-not-agreed", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100, .ecn = 2});
     },
     [](Talk& talk) {
       talk.open_with_ecn();
       talk.first({.length = 100, .ecn = 2});
     }},
    {"EcnUnoffered", "rfc3168-6.1.1-ecn-unoffered", kViolation,
     [](Talk& talk) { talk.open({}, {.flags = "SAE"}); }, [](Talk& talk) { talk.open_with_ecn(); }},
    {"EctOnPureAck", "rfc3168-6.1.4-ect-on-control", kLegal,
     [](Talk& talk) {
       talk.open_with_ecn();
       talk.first({.ecn = 2});
     },
     [](Talk& talk) {
       talk.open_with_ecn();
       talk.first({.length = 1, .ecn = 2});
     }},
    {"EctOnRetransmission", "rfc3168-6.1.5-ect-on-retransmission", kLegal,
     [](Talk& talk) {
       talk.open_with_ecn();
       talk.first({.length = 100, .ecn = 2});
       talk.first({.seq = 1, .length = 100, .ecn = 2, .after = 1s});
     },
     [](Talk& talk) {
       talk.open_with_ecn();
       talk.first({.length = 100, .ecn = 2});
       talk.first({.seq = 1, .length = 100, .after = 1s});
     }},
    {"CeNotEchoed", "rfc3168-6.1.3-ce-not-echoed", kViolation, [](Talk& talk) { ecn_echo(talk, false); },
     [](Talk& talk) { ecn_echo(talk, true); }},
    {"EceIgnored", "rfc3168-6.1.2-ece-ignored", kViolation, [](Talk& talk) { ece_rounds(talk, false); },
     [](Talk& talk) { ece_rounds(talk, true); }},
    {"SynAckSaysAnotherMark", "rfc9768-3.1.1-handshake-mark", kViolation,
     [](Talk& talk) { open_accurate(talk, "SAa"); }, [](Talk& talk) { open_accurate(talk, "SAW"); },
     at_second()},
    {"AnswerSaysAnotherMark", "rfc9768-3.1.1-handshake-mark", kViolation,
     [](Talk& talk) { open_accurate(talk, "SAW", "Aa"); },
     [](Talk& talk) { open_accurate(talk, "SAW", "AW"); }, at_first()},
    {"MarkNotCounted", "rfc9768-3.2.2-mark-count", kViolation,
     [](Talk& talk) {
       open_accurate(talk);
       talk.first({.flags = "AaE", .length = 500, .ecn = 3});
       talk.second({.flags = "AaE"});
     },
     [](Talk& talk) {
       open_accurate(talk);
       talk.first({.flags = "AaE", .length = 500, .ecn = 3});
       talk.second({.flags = "AaW"});
     },
     at_second_without_offload()},
    {"MarksCountedThatDidNotCome", "rfc9768-3.2.2-mark-count", kViolation,
     [](Talk& talk) {
       open_accurate(talk);
       talk.first({.flags = "AaE", .length = 500, .ecn = 2});
       talk.second({.flags = "AaW"});
     },
     [](Talk& talk) {
       open_accurate(talk);
       talk.first({.flags = "AaE", .length = 500, .ecn = 2});
       talk.second({.flags = "AaE"});
       talk.first({.flags = "AaE", .ecn = 3});  // a pure acknowledgment is counted, too
       talk.second({.flags = "AaW", .length = 10});
     },
     at_second()},
    {"MarkCountedTwice", "rfc9768-3.2.2-mark-count", kViolation,
     [](Talk& talk) {
       open_accurate(talk);
       talk.first({.flags = "AaE", .length = 500, .ecn = 3});
       talk.second({.flags = "AaWE"});
     },
     [](Talk& talk) {  // out of order, counted when it came, not when it was acknowledged
       open_accurate(talk);
       talk.first({.flags = "AaE", .seq = 501, .length = 500, .ecn = 3});
       talk.second({.flags = "AaW", .ack = 1});
       talk.first({.flags = "AaE", .seq = 1, .length = 500, .ecn = 2});
       talk.second({.flags = "AaW"});
     },
     at_second_without_offload()},
    {"OctetsCountedThatDidNotCome", "rfc9768-3.2.3-octet-count", kViolation,
     [](Talk& talk) {
       open_accurate(talk);
       talk.first({.flags = "AaE", .length = 500, .ecn = 2});
       talk.second({.flags = "AaE", .options = octets_seen(502, 0, 1)});
     },
     [](Talk& talk) {
       open_accurate(talk);
       talk.first({.flags = "AaE", .length = 500, .ecn = 2});
       talk.second({.flags = "AaE", .options = octets_seen(501, 0, 1)});
       talk.first({.flags = "AaE", .length = 300, .ecn = 1});
       talk.second({.flags = "AaE", .options = octets_seen(501, 0, 301, true)});
     },
     at_second()},
    {"MarkedOctetsNotCounted", "rfc9768-3.2.3-octet-count", kViolation,
     [](Talk& talk) {
       open_accurate(talk);
       talk.first({.flags = "AaE", .length = 500, .ecn = 3});
       talk.second({.flags = "AaW", .options = octets_seen(1, 499, 1)});
     },
     [](Talk& talk) {  // out of order, counted when it came; the rest when it comes again
       open_accurate(talk);
       talk.first({.flags = "AaE", .length = 500, .ecn = 2});
       talk.first({.flags = "AaE", .length = 500, .ecn = 3});
       talk.second({.flags = "AaW", .ack = 1, .options = octets_seen(1, 500, 1)});
       talk.first({.flags = "AaE", .seq = 1, .length = 500, .ecn = 2});
       talk.second({.flags = "AaW", .options = octets_seen(501, 500, 1)});
     },
     at_second_without_offload()},
    {"OctetCountGoesBack", "rfc9768-3.2.3-octet-count", kViolation,
     [](Talk& talk) {
       open_accurate(talk);
       talk.first({.flags = "AaE", .length = 500, .ecn = 2});
       talk.second({.flags = "AaE", .ack = 1, .options = octets_seen(501, 0, 1)});
       talk.second({.flags = "AaE", .ack = 1, .options = octets_seen(1, 0, 1)});
     },
     [](Talk& talk) {  // with fields left out
       open_accurate(talk);
       talk.first({.flags = "AaE", .length = 500, .ecn = 2});
       talk.second({.flags = "AaE", .ack = 1, .options = {172, 5, 0, 1, 0xf5, 1, 1, 1}});
       talk.second({.flags = "AaE", .ack = 1, .options = {172, 2, 1, 1}});
     },
     at_second()},
};

}  // namespace

std::span<const Planted> planted_in_the_network() { return kPlanted; }

}  // namespace transom::drivers::judge::test
