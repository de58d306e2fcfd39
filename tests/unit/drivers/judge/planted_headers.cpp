// In the header of TCP: fields, options, timestamps.
#include "tests/unit/drivers/judge/planted.h"

namespace transom::drivers::judge::test {
namespace {

using namespace std::chrono_literals;
using wire::TcpTimestamps;

void handshake(Talk& talk) { talk.open(); }

void text_and_ack(Talk& talk) {
  talk.open();
  talk.first({.flags = "PA", .length = 500});
  talk.second({});
}

const Planted kPlanted[] = {
    // --- TCP: the header
    {"ChecksumOnce", "rfc9293-3.1-checksum", kUnknown,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10, .is_damaged = true});
     },
     text_and_ack},
    {"ChecksumAgainAndAgain", "rfc9293-3.1-checksum", kViolation,
     [](Talk& talk) {
       talk.open();
       for (int i = 0; i < 4; ++i) talk.first({.seq = 1, .length = 10, .is_damaged = true, .after = 1s});
     },
     text_and_ack},
    {"BadChecksumAccepted", "rfc9293-3.1-bad-checksum-accepted", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10, .is_damaged = true});
       talk.second({});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10, .is_damaged = true});
       talk.first({.seq = 1, .length = 10, .after = 1s});
       talk.second({});
     },
     at_second()},
    {"BadChecksumAcceptedPerhaps", "rfc9293-3.1-bad-checksum-accepted", kUnknown,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10, .is_damaged = true});
       talk.second({});
     },
     text_and_ack},
    {"OptionOfImpossibleLength", "rfc9293-3.1-malformed", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.options = {2, 1, 0, 0}});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.options = {254, 4, 0, 0}});  // an experiment's (RFC 6994)
     }},
    {"ReservedBits", "rfc9293-3.1-reserved-bits", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.reserved = 4});
     },
     [](Talk& talk) { talk.open({.flags = "SEWa", .mss = Talk::kMss}); }},
    {"SynAndFin", "rfc9293-3.1-flags", kLegal, [](Talk& talk) { talk.first({.flags = "SF"}); }, handshake},
    {"NullScan", "rfc9293-3.1-flags", kLegal, [](Talk& talk) { talk.first({.flags = "N"}); }, handshake},
    {"NoAckFlag", "rfc9293-3.1-ack-flag-missing", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "P", .length = 10});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "R"});
     }},
    {"AckFieldWithoutFlag", "rfc9293-3.1-ack-field-without-flag", kLegal,
     [](Talk& talk) { talk.first({.flags = "S", .raw_ack = 12345}); }, handshake},
    {"UrgentPointerWithoutFlag", "rfc9293-3.8.5-urgent-pointer", kLegal,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 10, .urgent = 5});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "UA", .length = 10, .urgent = 5});
     }},
    {"UrgentPointerGoesBack", "rfc9293-3.8.5-urgent-pointer-back", kLegal,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "UA", .length = 10, .urgent = 100});
       talk.second({.length = 1});
       talk.first({.flags = "UA", .length = 10, .urgent = 5});
     },
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "UA", .length = 10, .urgent = 100});
       talk.second({.length = 1});
       talk.first({.flags = "UA", .length = 10, .urgent = 90});
     }},

    // --- TCP: options
    {"MssOutsideSyn", "rfc9293-3.2-mss-outside-syn", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.mss = 1000});
     },
     handshake},
    {"ScaleOutsideSyn", "rfc7323-2.2-scale-outside-syn", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.scale = 3});
     },
     [](Talk& talk) { talk.open({.scale = 3}, {.scale = 3}); }},
    {"SackPermittedOutsideSyn", "rfc2018-2-permitted-outside-syn", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.sack_permitted = true});
     },
     [](Talk& talk) { talk.open_with_sack(); }},
    {"ScaleUnoffered", "rfc7323-2.2-scale-unoffered", kViolation,
     [](Talk& talk) { talk.open({}, {.scale = 3}); },
     [](Talk& talk) { talk.open({.scale = 0}, {.scale = 3}); }},
    {"ScaleTooLarge", "rfc7323-2.3-scale-above-14", kViolation, [](Talk& talk) { talk.open({.scale = 15}); },
     [](Talk& talk) { talk.open({.scale = 14}); }},
    {"TimestampsUnoffered", "rfc7323-3.2-timestamps-unoffered", kViolation,
     [](Talk& talk) { talk.open({}, {.timestamps = TcpTimestamps{900, 0}}); },
     [](Talk& talk) { talk.open_with_timestamps(); }},
    {"TimestampsMissing", "rfc7323-3.2-timestamps-missing", kViolation,
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.first({.length = 10});
     },
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.first({.flags = "RA"});  // may be without (RFC 7323 §3.2)
     }},
    {"TimestampsNotAgreed", "rfc7323-3.2-timestamps-not-agreed", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.timestamps = TcpTimestamps{100, 0}});
     },
     [](Talk& talk) { talk.open_with_timestamps(); }},
    {"SackNotPermitted", "rfc2018-2-sack-not-permitted", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100});
       talk.first({.length = 100});
       talk.second({.ack = 1, .sack = {{101, 201}}});
     },
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 100});
       talk.first({.length = 100});
       talk.second({.ack = 1, .sack = {{101, 201}}});
     }},
    {"MssExceeded", "rfc9293-3.7.1-mss-exceeded", kViolation,
     [](Talk& talk) {
       talk.open({.mss = 1460}, {.mss = 536});
       talk.first({.length = 1000});
       talk.first({.length = 100});
     },
     [](Talk& talk) {
       talk.open({.mss = 1460}, {.mss = 536});
       talk.first({.length = 536});
       talk.first({.length = 536});
     }},
    {"MssExceededBySuperPacket", "rfc9293-3.7.1-mss-exceeded", kUnknown,
     [](Talk& talk) {
       talk.open({.mss = 1460}, {.mss = 536});
       talk.first({.length = 1072, .id = 103});
       talk.first({.length = 100, .id = 105});  // it was two packets on the wire
     },
     text_and_ack},

    // --- TCP: timestamps
    {"TimestampGoesBack", "rfc7323-5.4-timestamp-back", kViolation,
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.first({.length = 10, .timestamps = TcpTimestamps{200, 900}});
       talk.second({.length = 10, .timestamps = TcpTimestamps{950, 200}});
       talk.first({.timestamps = TcpTimestamps{150, 950}});
     },
     [](Talk& talk) {  // the network has changed the order
       talk.open_with_timestamps();
       talk.second({.length = 10, .timestamps = TcpTimestamps{950, 200}});
       talk.first({.ack = 11, .timestamps = TcpTimestamps{300, 950}});
       talk.first({.ack = 1, .timestamps = TcpTimestamps{200, 900}});
     }},
    {"EchoOfTheFuture", "rfc7323-4.3-echo-unsent", kViolation,
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.first({.timestamps = TcpTimestamps{200, 5000}});
       talk.second({.timestamps = TcpTimestamps{950, 200}});
     },
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.second({.length = 1, .timestamps = TcpTimestamps{5000, 101}});
       talk.first({.timestamps = TcpTimestamps{200, 5000}});
     }},
    {"EchoOfTheFuturePerhaps", "rfc7323-4.3-echo-unsent", kUnknown,
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.first({.timestamps = TcpTimestamps{200, 5000}});
       talk.second({.timestamps = TcpTimestamps{5001, 200}});
     },
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.second({.length = 1, .timestamps = TcpTimestamps{5000, 101}});
       talk.first({.timestamps = TcpTimestamps{200, 5000}});
     }},
    {"EchoGoesBack", "rfc7323-4.3-echo-back", kViolation,
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.second({.length = 10, .timestamps = TcpTimestamps{950, 101}});
       talk.first({.timestamps = TcpTimestamps{200, 950}});
       talk.second({.length = 10, .timestamps = TcpTimestamps{960, 200}});
       talk.first({.timestamps = TcpTimestamps{201, 900}});
     },
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.second({.length = 10, .timestamps = TcpTimestamps{950, 101}});
       talk.first({.timestamps = TcpTimestamps{200, 950}});
       talk.second({.length = 10, .timestamps = TcpTimestamps{960, 200}});
       talk.first({.timestamps = TcpTimestamps{201, 950}});
     }},
    {"EchoInSyn", "rfc7323-3.2-echo-without-ack", kLegal,
     [](Talk& talk) { talk.first({.flags = "S", .timestamps = TcpTimestamps{100, 7}}); },
     [](Talk& talk) { talk.open_with_timestamps(); }},
};

}  // namespace

std::span<const Planted> planted_in_headers() { return kPlanted; }

}  // namespace transom::drivers::judge::test
