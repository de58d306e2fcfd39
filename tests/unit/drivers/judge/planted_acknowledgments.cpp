// In the handshake, in acknowledgments and in SACK blocks.
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

void syn_from(Talk& talk, std::uint16_t port, std::uint32_t number) {
  wire::TcpHeader header;
  header.source_port = Port{port};
  header.destination_port = Port{80};
  header.sequence = SeqNum(number);
  header.flags.syn = true;
  Octets segment(wire::TcpHeader::kMinSize);
  wire::Writer blank(segment);
  header.write(blank);
  wire::ChecksumSum sum = wire::pseudo_header_sum(kA, kB, IpProtocol::kTcp, wire::TcpHeader::kMinSize);
  sum.add(segment);
  header.checksum = sum.checksum();
  wire::Writer writer(segment);
  header.write(writer);
  talk.packet(transom::test::ip_packet(kA, kB, IpProtocol::kTcp, segment));
}

const Planted kPlanted[] = {
    // --- TCP: opening
    {"SynAckOfAnotherSyn", "rfc9293-3.10.7.3-syn-ack-number", kViolation,
     [](Talk& talk) {
       talk.first({.flags = "S"});
       talk.second({.flags = "SA", .ack = -500});
     },
     handshake},
    {"RefusedWithoutAck", "rfc9293-3.10.7.1-reset-of-syn", kViolation,
     [](Talk& talk) {
       talk.first({.flags = "S"});
       talk.second({.flags = "R"});
     },
     [](Talk& talk) {
       talk.first({.flags = "S"});
       talk.second({.flags = "RA"});
     }},
    {"ResetAnsweredByReset", "rfc9293-3.10.7.1-reset-of-reset", kViolation,
     [](Talk& talk) {
       talk.first({.flags = "R"});
       talk.second({.flags = "RA"});
     },
     [](Talk& talk) {
       talk.first({.flags = "A"});
       talk.second({.flags = "R"});
     },
     complete()},
    {"DataBeforeSynAck", "rfc9293-3.4-data-before-handshake", kViolation,
     [](Talk& talk) {
       talk.first({.flags = "S"});
       talk.first({.flags = "PA", .length = 100});
       talk.second({.flags = "SA", .ack = 1});
     },
     text_and_ack},
    {"DataInSynWithoutCookie", "rfc9293-3.4-data-before-handshake", kLegal,
     [](Talk& talk) { talk.first({.flags = "S", .length = 100}); },
     [](Talk& talk) {
       talk.first(
           {.flags = "S", .length = 100, .cookie = wire::FastOpenCookie::of(transom::test::pattern(8))});
     }},
    {"SynChangesItsNumber", "rfc9293-3.8.1-isn-changes", kLegal,
     [](Talk& talk) {
       talk.first({.flags = "S"});
       talk.wait(1s);
       talk.begin_again(99999, 5);
       talk.first({.flags = "S"});
     },
     [](Talk& talk) {
       talk.first({.flags = "S"});
       talk.first({.flags = "S", .seq = 0, .after = 1s});
     }},
    {"IsnRepeats", "rfc6528-3-isn-repeats", kLegal,
     [](Talk& talk) {
       for (std::uint16_t port = 5000; port < 5003; ++port) syn_from(talk, port, 42);
     },
     [](Talk& talk) {
       for (std::uint16_t port = 5000; port < 5003; ++port) syn_from(talk, port, 42U + port);
     }},
    {"SynInConnection", "rfc5961-4-syn-in-connection", kLegal,
     [](Talk& talk) {
       talk.open();
       talk.first({.flags = "S", .seq = 3000});
     },
     handshake},
    {"SynInConnectionAccepted", "rfc5961-4-syn-accepted", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.second({.length = 10});
       talk.first({});
       talk.first({.flags = "S", .seq = 3000});
       talk.second({.flags = "RA", .seq = -0xfff0, .ack = 3001});
     },
     [](Talk& talk) {
       talk.open();
       talk.second({.length = 10});
       talk.first({});
       talk.first({.flags = "S", .seq = 3000});
       talk.second({.ack = 1});
     },
     at_second()},

    // --- TCP: acknowledgments
    {"AckOfWhatWasSentLater", "rfc9293-3.10.7.4-ack-beyond-sent", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100});
       talk.second({.ack = 5000});
       talk.first({.length = 100});
     },
     [](Talk& talk) {  // the capture has missed a segment
       talk.open();
       talk.first({.length = 100});
       talk.second({.ack = 201});
       talk.first({.seq = 201, .length = 100});
       talk.second({});
     }},
    {"AckBeyondTheFin", "rfc9293-3.10.7.4-ack-beyond-sent", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100});
       talk.second({.ack = 5000});
       talk.first({.flags = "FA"});
     },
     text_and_ack},
    {"AckBeyondSentPerhaps", "rfc9293-3.10.7.4-ack-beyond-sent", kUnknown,
     [](Talk& talk) {
       talk.open();
       talk.second({.ack = 5000});
     },
     text_and_ack},
    {"OptimisticAck", "rfc9293-3.4-ack-beyond-received", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.first({.length = 100});
       talk.first({.seq = 201, .length = 100});  // 101:201 was lost before
       talk.second({.ack = 301});
     },
     text_and_ack, complete()},
    {"AckGoesBack", "rfc9293-3.4-ack-back", kViolation,
     [](Talk& talk) {
       talk.open_with_timestamps();
       talk.first({.length = 100, .timestamps = TcpTimestamps{102, 900}});
       talk.second({.timestamps = TcpTimestamps{901, 102}});
       talk.second({.ack = 50, .timestamps = TcpTimestamps{902, 102}});
     },
     [](Talk& talk) {  // one that was overtaken
       talk.open_with_timestamps();
       talk.first({.length = 100, .timestamps = TcpTimestamps{102, 900}});
       talk.second({.timestamps = TcpTimestamps{902, 102}});
       talk.second({.ack = 50, .timestamps = TcpTimestamps{901, 102}});
     }},
    {"AckTooLate", "rfc9293-3.8.6.3-ack-late", kViolation,
     [](Talk& talk) {
       talk.open();
       talk.second({.length = 1});
       talk.first({.length = 100});
       talk.second({.after = 700ms});
     },
     [](Talk& talk) {
       talk.open();
       talk.second({.length = 1});
       talk.first({.length = 100});
       talk.second({.after = 490ms});
     },
     at_second()},
    {"AcksTooRare", "rfc9293-3.8.6.3-ack-rare", kLegal,
     [](Talk& talk) {
       talk.open();
       for (int i = 0; i < 20; ++i) {
         for (int k = 0; k < 4; ++k) talk.first({.length = 1460});
         talk.second({});
       }
     },
     [](Talk& talk) {
       talk.open();
       for (int i = 0; i < 20; ++i) {
         for (int k = 0; k < 2; ++k) talk.first({.length = 1460});
         talk.second({});
       }
     },
     at_second()},

    // --- TCP: selective acknowledgments
    {"SackInverted", "rfc2018-3-block-inverted", kViolation,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 1, .sack = {{400, 300}}});
     },
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 1, .sack = {{300, 400}}});
     }},
    {"SackAcrossTheAck", "rfc2018-4-block-below-ack", kViolation,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 201, .sack = {{101, 301}}});
     },
     [](Talk& talk) {  // D-SACK
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 201, .sack = {{101, 201}, {301, 401}}});
     }},
    {"SackBlocksOverlap", "rfc2018-3-blocks-overlap", kViolation,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 1, .sack = {{201, 301}, {251, 401}}});
     },
     [](Talk& talk) {  // D-SACK within the block that follows
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 1, .sack = {{251, 301}, {201, 401}}});
     }},
    {"SackBeyondSent", "rfc2018-3-block-beyond-sent", kViolation,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.second({.ack = 1, .sack = {{601, 701}}});
       talk.first({.length = 500});
     },
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 500});
       talk.first({.length = 500});
       talk.second({.ack = 1, .sack = {{601, 701}}});
     }},
    {"SackOfWhatWasLost", "rfc2018-3-block-beyond-received", kViolation,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 100});
       talk.first({.seq = 201, .length = 100});
       talk.second({.ack = 1, .sack = {{101, 301}}});
     },
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 100});
       talk.first({.seq = 201, .length = 100});
       talk.second({.sack = {{201, 301}}});
     },
     complete()},
    {"BlockAroundADuplicateIsThird", "rfc2883-4-block-around-duplicate", kLegal,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 900});
       talk.second({.ack = 1, .sack = {{251, 301}, {601, 701}, {201, 401}}});
     },
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 900});
       talk.second({.ack = 1, .sack = {{251, 301}, {201, 401}, {601, 701}}});
     }},
    {"Reneging", "rfc2018-8-reneging", kLegal,
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 1000});
       talk.second({.ack = 1, .sack = {{501, 601}}});
       talk.second({.ack = 101, .sack = {{701, 801}}});
     },
     [](Talk& talk) {
       talk.open_with_sack();
       talk.first({.length = 1000});
       talk.second({.ack = 1, .sack = {{501, 601}}});
       talk.second({.ack = 101, .sack = {{701, 801}, {501, 601}}});
     }},
};

}  // namespace

std::span<const Planted> planted_in_acknowledgments() { return kPlanted; }

}  // namespace transom::drivers::judge::test
