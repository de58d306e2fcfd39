// In windows, in the text, in resets and at the end.
#include "tests/unit/drivers/judge/planted.h"

namespace transom::drivers::judge::test {
namespace {

using namespace std::chrono_literals;
using transom::test::operator+;

void text_and_ack(Talk& talk) {
  talk.open();
  talk.first({.flags = "PA", .length = 500});
  talk.second({});
}

// Data from the first, up to the window of the second, which is `window`.
void open_with_window(Talk& talk, std::uint16_t window) {
  talk.open({.mss = Talk::kMss}, {.window = window, .mss = Talk::kMss});
}

void time_wait_then_syn(Talk& talk, std::uint32_t number) {
  talk.open();
  talk.first({.length = 100});
  talk.second({.flags = "FA"});  // the second closes first
  talk.first({.flags = "FA"});
  talk.second({});
  talk.wait(2s);
  talk.begin_again(number, 77777);
  talk.open();
}

// One closes, then the other, whose last acknowledgment is lost, so that the FIN comes again; it is answered
// with `flags`. `is_passive`: by the one that closed last.
void fin_again(Talk& talk, const char* flags, bool is_passive) {
  talk.open();
  talk.first({.length = 100});
  talk.second({.flags = "FA"});
  talk.first({.flags = "FA"});
  talk.second({});
  talk.wait(1s);
  if (is_passive) {
    talk.second({.flags = "FA", .seq = 1});
    talk.first({.flags = flags, .seq = 102});
  } else {
    talk.first({.flags = "FA", .seq = 101});
    talk.second({.flags = flags, .seq = 2});
  }
}

void probe(Talk& talk, std::initializer_list<Duration> gaps) {
  talk.open();
  talk.first({.length = 500});
  talk.second({.window = 0});
  for (const Duration gap : gaps) {
    talk.first({.seq = 500, .after = gap});
    talk.second({.window = 0});
  }
}

void small_openings(Talk& talk, std::uint16_t window) {
  talk.open();
  for (int i = 0; i < 5; ++i) {
    talk.second({.window = window});
    talk.first({.length = window < 1000 ? window : std::size_t{500}});
    talk.second({.window = 0});
  }
}

// Asked for challenge ACKs so often, each time so much later; then the connection goes on.
void challenge(Talk& talk, int times, Duration rest, bool answers) {
  talk.open();
  talk.first({.length = 10});
  talk.second({});
  for (int i = 0; i < times; ++i) {
    talk.first({.flags = "R", .seq = 1000 + i, .after = rest});
    if (answers) talk.second({});
  }
  talk.first({.length = 10, .after = rest});
  talk.second({});
}

void tiny(Talk& talk, bool waits) {
  talk.open();
  for (int i = 0; i < 40; ++i) {
    talk.first({.length = 1});
    if (waits) talk.second({});
  }
}

const Planted kPlanted[] = {
    // --- TCP: windows
    {"BeyondTheWindow", "rfc9293-3.8.6-beyond-window", kViolation,
     [](Talk& talk) {
       open_with_window(talk, 1000);
       talk.first({.length = 1001});
     },
     [](Talk& talk) {  // a probe of one octet
       open_with_window(talk, 1000);
       talk.first({.length = 1000});
       talk.first({.length = 1});
     }},
    {"WindowShrinks", "rfc9293-3.8.6-window-shrunk", kLegal,
     [](Talk& talk) {
       open_with_window(talk, 1000);
       talk.first({.length = 100});
       talk.second({.window = 500});
     },
     [](Talk& talk) {
       open_with_window(talk, 1000);
       talk.first({.length = 100});
       talk.second({.window = 900});
     }},
    {"SillyWindow", "rfc9293-3.8.6.2.2-silly-window", kLegal, [](Talk& talk) { small_openings(talk, 100); },
     [](Talk& talk) { small_openings(talk, 40000); }},
    {"ProbesAtEvenIntervals", "rfc9293-3.8.6.1-probe-back-off", kLegal,
     [](Talk& talk) { probe(talk, {1s, 1s, 1s, 1s, 1s, 1s}); },
     [](Talk& talk) { probe(talk, {1s, 2s, 4s, 8s, 16s, 32s}); }},
    {"Tinygrams", "rfc9293-3.7.4-tinygrams", kLegal, [](Talk& talk) { tiny(talk, false); },
     [](Talk& talk) { tiny(talk, true); }},

    // --- TCP: text
    {"RetransmissionDiffers", "rfc9293-3.8.1-retransmission-differs", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 500});
       talk.first({.seq = 101, .length = 100, .other_octets = 1, .after = 1s});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 500});
       talk.first({.seq = 101, .length = 600, .after = 1s});
     }},
    {"DataBehindTheFin", "rfc9293-3.6-data-after-fin", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "FA", .length = 100});
       talk.first({.seq = 101, .length = 100});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "FA", .length = 100});
       talk.first({.seq = 1, .length = 100, .after = 1s});
     }},
    {"DataBehindTheFinThatCameLate", "rfc9293-3.6-data-after-fin", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.seq = 101, .length = 100});
       talk.first({.flags = "FA", .seq = 1, .length = 100});
     },
     [](Talk& talk) {  // an acknowledgment that has overtaken the FIN has the number behind it
       talk.open();
       talk.first({.seq = 102});
       talk.first({.flags = "FA", .seq = 1, .length = 100});
     }},
    {"FinMoves", "rfc9293-3.6-fin-moves", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "FA", .length = 100});
       talk.first({.flags = "FA", .seq = 51, .after = 1s});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "FA", .length = 100});
       talk.first({.flags = "FA", .seq = 51, .length = 50, .after = 1s});
     }},
    {"KeepAliveAfterSeconds", "rfc9293-3.8.4-keep-alive-early", kLegal,
     [](Talk& talk) {
       text_and_ack(talk);
       talk.first({.seq = 500, .after = 30s});
     },
     [](Talk& talk) {
       text_and_ack(talk);
       talk.first({.seq = 500, .after = 2h});
     }},

    // --- TCP: resets and the end
    {"ResetWithinTheWindow", "rfc5961-3.2-reset-not-exact", kLegal,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "R", .seq = 1000});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "RA"});
     }},
    {"ResetWithinTheWindowAccepted", "rfc5961-3.2-reset-accepted", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "R", .seq = 1000});
       talk.first({.length = 10});
       talk.second({.flags = "R"});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "R", .seq = 1000});
       talk.second({});  // a challenge ACK
       talk.first({.length = 10});
       talk.second({.flags = "R"});  // closed by its user, later
     },
     at_second()},
    {"ChallengesMissing", "rfc5961-3.2-challenge-missing", kViolation,
     [](Talk& talk) { challenge(talk, 3, 6s, false); }, [](Talk& talk) { challenge(talk, 3, 6s, true); },
     at_second()},
    {"ChallengesLimited", "rfc5961-3.2-challenge-missing", kViolation,
     [](Talk& talk) { challenge(talk, 4, 5s, false); },
     [](Talk& talk) { challenge(talk, 50, 100ms, false); },  // RFC 5961 §7
     at_second()},
    {"ChallengesOfSynsMissing", "rfc5961-3.2-challenge-missing", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10});
       talk.second({});
       for (int i = 0; i < 3; ++i) talk.first({.flags = "S", .seq = 40000 + i, .after = 6s});
       talk.first({.seq = 11, .length = 10, .after = 6s});
       talk.second({.ack = 21});
     },
     [](Talk& talk) {  // an exact reset ends it: nothing is answered any more
       talk.open();
       talk.first({.length = 10});
       talk.second({});
       talk.first({.flags = "R"});
       for (int i = 0; i < 3; ++i) talk.first({.flags = "R", .seq = 1000 + i, .after = 6s});
       talk.second({.flags = "A", .after = 6s});
     },
     at_second()},
    {"ChallengesOfUnsentAcknowledgmentsMissing", "rfc5961-3.2-challenge-missing", kViolation,
     [](Talk& talk) {
       text_and_ack(talk);
       for (int i = 0; i < 3; ++i) talk.first({.ack = 5000, .after = 6s});
       talk.first({.length = 10, .after = 6s});
       talk.second({});
     },
     [](Talk& talk) {  // two may be lost, or limited for another reason
       text_and_ack(talk);
       for (int i = 0; i < 2; ++i) talk.first({.ack = 5000, .after = 6s});
       talk.first({.length = 10, .after = 6s});
       talk.second({});
     },
     at_second()},
    {"AliveAfterReset", "rfc9293-3.5.2-alive-after-reset", kLegal,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "RA"});
       talk.first({.length = 10});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10});
       talk.first({.flags = "RA"});
     }},
    {"OldSynEndsTimeWait", "rfc9293-3.6.1-time-wait-cut-short", kViolation,
     [](Talk& talk) { time_wait_then_syn(talk, 500); }, [](Talk& talk) { time_wait_then_syn(talk, 100000); }},
    {"TimeWaitForgotten", "rfc9293-3.6.1-time-wait-forgotten", kViolation,
     [](Talk& talk) { fin_again(talk, "R", false); }, [](Talk& talk) { fin_again(talk, "A", false); }},
    {"TimeWaitOfThePassiveSide", "rfc9293-3.6.1-time-wait-forgotten", kViolation,
     [](Talk& talk) { fin_again(talk, "R", false); },
     [](Talk& talk) { fin_again(talk, "R", true); }},  // who closes last need not wait
    {"TimeWaitBehindAnAckThatCameLate", "rfc9293-3.6.1-time-wait-forgotten", kViolation,
     [](Talk& talk) { fin_again(talk, "R", false); },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "FA", .length = 100});
       talk.second({.flags = "FA", .ack = 102});
       talk.first({});
       talk.second({.seq = 1, .ack = 102});  // sent before the FIN
       talk.first({});
       talk.second({.flags = "R", .seq = 2});
     }},
};

}  // namespace

std::span<const Planted> planted_in_the_course() { return kPlanted; }

}  // namespace transom::drivers::judge::test
