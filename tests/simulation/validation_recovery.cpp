// When what is lost is sent again, and how much may be sent meanwhile.
#include <algorithm>

#include "drivers/sim/flow.h"
#include "drivers/sim/topology.h"
#include "tests/simulation/event_recorder.h"
#include "tests/simulation/validation.h"

namespace transom::test {

using namespace std::chrono_literals;
using namespace drivers::sim;

namespace {

double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

struct Transfer {
  Duration rtt{};
  std::vector<std::string> faults;  // of the way forward
  std::uint64_t octets = 0;
  bool sack = true;
  Duration min_rto = 200ms;
  std::string algorithm = "cubic";
  std::uint64_t rate = 1'000'000'000;
  Duration duration = 60s;
};

// What the sender tells of one transfer from a to b.
EventRecorder events_of(const Transfer& transfer) {
  ChannelOptions path{.rate = transfer.rate, .delay = transfer.rtt / 2, .queue = "pfifo limit 10000"};
  for (const std::string& fault : transfer.faults) path.faults.push_back(*parse_packet_fault(fault));
  HostConfig config;
  config.tcp.sack = transfer.sack;
  config.tcp.min_rto = transfer.min_rto;
  Simulation simulation(1);
  (void)*make_pair(simulation, {.forth = path, .back = ChannelOptions{.delay = transfer.rtt / 2}}, config);
  EventRecorder recorder;
  simulation.find("a")->host().set_observer(&recorder);
  TcpFlow flow(simulation, *simulation.find("a"), *simulation.find("b"),
               {.congestion_control = transfer.algorithm, .octets = transfer.octets});
  simulation.run_for(transfer.duration);
  simulation.find("a")->host().set_observer(nullptr);
  return recorder;
}

using Sends = std::vector<EventRecorder::Told<TcpSendEvent>>;

Sends sends_because(const EventRecorder& recorder, Reason reason) {
  Sends sends = recorder.all<TcpSendEvent>();
  std::erase_if(sends, [reason](const auto& send) { return send.what.reason != reason; });
  return sends;
}

}  // namespace

std::vector<ValidationRow> validate_timeouts() {
  std::vector<ValidationRow> rows;
  // One sample R from the handshake: SRTT = R, RTTVAR = R/2, RTO = R + 4 * R/2.
  const auto recorder =
      events_of({.rtt = 500ms, .faults = {"drop data segments 1-4"}, .octets = 1000, .sack = false});
  Instant before = sends_because(recorder, Reason::kNewData).front().time;
  const auto repeats = sends_because(recorder, Reason::kRetransmission);
  for (std::size_t i = 0; i < 4; ++i) {
    rows.push_back(
        {.result = i == 0 ? std::string("Timeout after one RTT sample of 500 ms: SRTT + 4·RTTVAR = 3·R")
                          : fmt::format("Timeout {} of the same segment: twice the one before", i + 1),
         .source = i == 0 ? "RFC 6298 §2.2, §2.3" : "RFC 6298 §5.5",
         .unit = "ms",
         .known = 1500.0 * static_cast<double>(1 << i),
         .measured = i < repeats.size() ? milliseconds(repeats[i].time - before) : 0,
         .allowed = 0.001});
    if (i < repeats.size()) before = repeats[i].time;
  }
  const auto bounded = events_of(
      {.rtt = 50ms, .faults = {"drop data segments 1-1"}, .octets = 1000, .sack = false, .min_rto = 1s});
  rows.push_back({.result = "Timeout with an RTT of 50 ms and `min_rto` of 1 s: that much above SRTT (our "
                            "default: 200 ms, as Linux)",
                  .source = "RFC 6298 §2.4",
                  .unit = "ms",
                  .known = 1050,
                  .measured = milliseconds(sends_because(bounded, Reason::kRetransmission).front().time -
                                           sends_because(bounded, Reason::kNewData).front().time),
                  .allowed = 0.001});
  return rows;
}

std::vector<ValidationRow> validate_probes() {
  std::vector<ValidationRow> rows;
  // Ten segments; the last two, or the last one, are lost, so that nothing is reported and only time tells.
  for (const int lost : {2, 1}) {
    const auto recorder = events_of({.rtt = 50ms,
                                     .faults = {fmt::format("drop data segments {}-10", 11 - lost)},
                                     .octets = 14480,
                                     .min_rto = 1s});
    const auto probes = sends_because(recorder, Reason::kTailLossProbe);
    Instant last_ack{};  // the one before the probe sets the timer
    Duration srtt{};
    for (const auto& sample : recorder.all<TcpRttEvent>()) {
      if (probes.empty() || sample.time > probes.front().time) break;
      last_ack = sample.time;
      srtt = sample.what.srtt;
    }
    rows.push_back(
        {.result = lost == 2
                       ? "Tail loss probe with two segments outstanding, RTT 50 ms: 2·SRTT"
                       : "Tail loss probe with one segment outstanding: 2·SRTT + 200 ms for a delayed ACK",
         .source = "RFC 8985 §7.2",
         .unit = "ms",
         .known = milliseconds(2 * srtt) + (lost == 2 ? 0 : 200),
         .measured = probes.empty() ? 0 : milliseconds(probes.front().time - last_ack),
         .allowed = 0.025});
    if (lost != 2) continue;
    // The probe repeats the last segment; its SACK shows that the one before is lost.
    const auto repaired = sends_because(recorder, Reason::kRetransmission);
    rows.push_back(
        {.result = "A lost tail of two is repaired one RTT after the probe, not by a timeout",
         .source = "RFC 8985 §3.4, §7.4",
         .unit = "ms",
         .known = 50,
         .measured = repaired.empty() ? 0 : milliseconds(repaired.front().time - probes.front().time),
         .allowed = 0.02});
  }
  // Segment 5 of many, and its first retransmission: which packet that is follows from the run.
  const auto recorder = events_of({.rtt = 50ms,
                                   .faults = {"drop data segment 5", "drop the first retransmission"},
                                   .octets = 1 << 20,
                                   .min_rto = 1s});
  const auto repeats = sends_because(recorder, Reason::kRetransmission);
  rows.push_back(
      {.result =
           "A lost retransmission is found after one RTT (and at most a reordering window), not by a timeout",
       .source = "RFC 8985 §3.2, §6.2",
       .unit = "ms",
       .known = 50,
       .measured = repeats.size() < 2 ? 0 : milliseconds(repeats[1].time - repeats[0].time),
       .allowed = 0.25});
  return rows;
}

// One loss in a large window. While recovery lasts, a share ssthresh / RecoverFS of what is delivered may be
// sent, evenly; RFC 5681's rule would pause for half of the round trip.
std::vector<ValidationRow> validate_proportional_reduction() {
  std::vector<ValidationRow> rows;
  for (const auto& [algorithm, share] : {std::pair{"reno", 0.5}, {"cubic", 0.7}}) {
    const auto recorder = events_of({.rtt = 100ms,
                                     .faults = {"drop data segment 400"},
                                     .octets = 4 << 20,
                                     .min_rto = 1s,
                                     .algorithm = algorithm,
                                     .rate = 20'000'000,
                                     .duration = 10s});
    const auto recoveries = recorder.all<TcpRecoveryEvent>();
    const Instant begin = recoveries.at(0).time, end = recoveries.at(1).time;
    std::uint32_t sent = 0;
    Instant latest = begin;
    Duration pause{};
    for (const auto& send : recorder.all<TcpSendEvent>()) {
      if (send.time < begin || send.time >= end) continue;
      sent += octets_between(send.what.begin, send.what.end);
      pause = std::max(pause, send.time - latest);
      latest = send.time;
    }
    // Delivered meanwhile: what was in flight at the begin.
    double flight = 0, window_after = 0;
    for (const auto& change : recorder.all<TcpCongestionEvent>()) {
      if (change.what.reason == Reason::kOvertaken) flight = static_cast<double>(change.what.in_flight);
      if (change.what.reason == Reason::kAllAcknowledged && window_after == 0)
        window_after = static_cast<double>(change.what.cwnd);
    }
    rows.push_back({.result = fmt::format("Sent in recovery per octet in flight at its begin, {}", algorithm),
                    .source = "RFC 9937 §6",
                    .unit = "",
                    .known = share,
                    .measured = sent / flight,
                    .allowed = 0.05});
    rows.push_back({.result = fmt::format("Longest pause in recovery, {} (RFC 5681's rule: {:g} ms)",
                                          algorithm, (1 - share) * 100),
                    .source = "RFC 9937 §1",
                    .unit = "ms",
                    .kind = ValidationRow::Kind::kAtMost,
                    .known = 5,
                    .measured = milliseconds(pause)});
  }
  return rows;
}

}  // namespace transom::test
