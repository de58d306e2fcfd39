#include "drivers/judge/judge.h"

#include <algorithm>
#include <list>
#include <map>

#include "drivers/judge/connection.h"
#include "drivers/judge/packet_rules.h"

namespace transom::drivers::judge {

class Judge::State {
 public:
  explicit State(JudgeOptions options)
      : options_(std::move(options)),
        packets_({.found = [this](const Rule& rule, Verdict verdict, const CapturedPacket& packet,
                                  const PacketView& view,
                                  std::string text) { found(rule, verdict, packet, view, std::move(text)); },
                  .icmp_error = [this](const CapturedPacket& packet, const Endpoint& from, const Endpoint& to,
                                       SeqNum sequence,
                                       bool is_hard) { icmp_error(packet, from, to, sequence, is_hard); }}) {}

  void take(const CapturedPacket& packet);
  void end();

  Counts counts;
  std::vector<Finding> findings;
  std::vector<ConnectionSummary> summaries;
  bool is_incomplete = false;

 private:
  using Key = std::pair<Endpoint, Endpoint>;  // the lower first
  using Connections = std::list<std::unique_ptr<Connection>>;

  static Key key_of(const Endpoint& a, const Endpoint& b) { return a < b ? Key{a, b} : Key{b, a}; }
  void take_segment(const CapturedPacket& packet, const PacketView& view);
  Connection& open(const Endpoint& first, const Endpoint& second, std::optional<PreviousConnection> previous);
  void close(Connections::iterator connection);
  void found(const Rule& rule, Verdict verdict, const CapturedPacket& packet, const PacketView& view,
             std::string text);
  void icmp_error(const CapturedPacket& packet, const Endpoint& from, const Endpoint& to, SeqNum sequence,
                  bool is_hard);
  void keep(RawFinding finding);

  JudgeOptions options_;
  PacketRules packets_;
  TextBudget text_budget_;
  Connections connections_;  // that which was silent for longest first
  std::map<Key, Connections::iterator> by_endpoints_;
  std::vector<RawFinding> raw_;
  bool is_damaged_ = false;
};

void Judge::State::take(const CapturedPacket& packet) {
  ++counts.packets;
  const auto view = PacketView::parse(packet);
  if (!view) {
    ++counts.not_ip;
    return;
  }
  packets_.judge(packet, *view);
  if (view->network_checksum == ChecksumVerdict::kBad || view->transport_checksum == ChecksumVerdict::kBad)
    is_damaged_ = true;
  if (view->network_checksum == ChecksumVerdict::kBad || view->protocol != IpProtocol::kTcp) return;
  if (!view->tcp) {
    if (view->fragment_offset == 0) ++counts.unreadable_tcp;
    if (packet.is_cut()) is_incomplete = true;
    return;
  }
  ++counts.tcp;
  take_segment(packet, *view);
}

Connection& Judge::State::open(const Endpoint& first, const Endpoint& second,
                               std::optional<PreviousConnection> previous) {
  if (connections_.size() >= options_.max_connections && !connections_.empty()) {
    ++counts.evicted_connections;
    close(connections_.begin());
  }
  connections_.push_back(
      std::make_unique<Connection>(++counts.connections, first, second, options_, text_budget_, previous,
                                   [this](RawFinding finding) { keep(std::move(finding)); }));
  by_endpoints_[key_of(first, second)] = std::prev(connections_.end());
  return *connections_.back();
}

void Judge::State::close(Connections::iterator connection) {
  Connection& ending = **connection;
  ending.end();
  const ConnectionSummary summary = ending.summary();
  // Where only one direction passes, nothing is missing.
  is_incomplete |= summary.has_missed;
  if (summaries.size() < options_.max_summaries)
    summaries.push_back(summary);
  else
    ++counts.left_out_summaries;
  counts.left_out_findings += summary.left_out;
  by_endpoints_.erase(key_of(summary.ends[0].address, summary.ends[1].address));
  connections_.erase(connection);
}

void Judge::State::take_segment(const CapturedPacket& packet, const PacketView& view) {
  const wire::TcpHeader& header = *view.tcp;
  const Endpoint from{view.source, header.source_port}, to{view.destination, header.destination_port};
  // Whoever answers a SYN is second, also when the SYN itself is not there.
  const bool sender_is_second = header.flags.syn && header.flags.ack;
  const auto known = by_endpoints_.find(key_of(from, to));
  Connection* connection = nullptr;
  if (known == by_endpoints_.end()) {
    connection = sender_is_second ? &open(to, from, std::nullopt) : &open(from, to, std::nullopt);
  } else {
    connection = known->second->get();
    const Side side = connection->side_of(from);
    if (header.flags.syn && view.transport_checksum != ChecksumVerdict::kBad &&
        connection->kind_of_syn(header, side, packet.time) == Connection::SynKind::kNext) {
      if (!connection->endpoint(other(side)).has_sent) connection->judge_new_number(packet, view, side);
      const PreviousConnection previous = connection->as_previous(sender_is_second ? other(side) : side);
      close(known->second);
      connection = sender_is_second ? &open(to, from, previous) : &open(from, to, previous);
    } else {
      connections_.splice(connections_.end(), connections_, known->second);
    }
  }
  const auto replaced_by = connection->take(packet, view, connection->side_of(from));
  if (!replaced_by) return;
  close(by_endpoints_.at(key_of(from, to)));
  Connection& next = open(to, from, std::nullopt);
  next.begin_with_syn(*replaced_by, packet.time);
  next.take(packet, view, Side::kSecond);
}

void Judge::State::found(const Rule& rule, Verdict verdict, const CapturedPacket& packet,
                         const PacketView& view, std::string text) {
  Endpoint from{view.source, Port::kNone}, to{view.destination, Port::kNone};
  if (view.tcp) from.port = view.tcp->source_port, to.port = view.tcp->destination_port;
  if (view.udp) from.port = view.udp->source_port, to.port = view.udp->destination_port;
  const auto known = by_endpoints_.find(key_of(from, to));
  Finding finding{
      .rule = &rule, .verdict = verdict, .frame = packet.number, .time = packet.time, .from = from, .to = to};
  if (view.tcp && known != by_endpoints_.end()) {
    finding.connection = (*known->second)->number();
    finding.side = (*known->second)->side_of(from);
  }
  finding.text = std::move(text);
  // The checksum of IPv4 covers its header; IPv6 has none.
  const bool is_checked = view.transport_checksum == ChecksumVerdict::kGood ||
                          view.transport_checksum == ChecksumVerdict::kUnfilled ||
                          (view.network_checksum == ChecksumVerdict::kGood && !(rule == rule::kUdpLength));
  keep({.finding = std::move(finding), .doubts = {.is_damaged = !is_checked}});
}

void Judge::State::icmp_error(const CapturedPacket& packet, const Endpoint& from, const Endpoint& to,
                              SeqNum sequence, bool is_hard) {
  const auto known = by_endpoints_.find(key_of(from, to));
  if (known == by_endpoints_.end()) return;
  Connection& connection = **known->second;
  connection.take_icmp_error(packet, connection.side_of(from),
                             is_hard ? std::optional(sequence) : std::nullopt);
}

// There is always room for something worse than what was kept first.
void Judge::State::keep(RawFinding finding) {
  if (raw_.size() >= options_.max_findings) {
    ++counts.left_out_findings;
    if (finding.finding.verdict != Verdict::kViolation) return;
    const auto milder = std::ranges::find_if(
        raw_, [](const RawFinding& kept) { return kept.finding.verdict != Verdict::kViolation; });
    if (milder == raw_.end()) return;
    *milder = std::move(finding);
    return;
  }
  raw_.push_back(std::move(finding));
}

void Judge::State::end() {
  while (!connections_.empty()) close(connections_.begin());
  std::ranges::sort(summaries, {}, &ConnectionSummary::number);
  for (RawFinding& raw : raw_) {
    Finding& finding = raw.finding;
    if (finding.verdict == Verdict::kViolation) {
      const bool is_whole = options_.is_complete || options_.has_missed_nothing;
      if (raw.doubts.is_incomplete && is_incomplete && !is_whole) {
        finding.verdict = Verdict::kUnknown;
        finding.text += "; but the capture has missed packets";
      } else if (raw.doubts.is_damaged && is_damaged_) {
        finding.verdict = Verdict::kUnknown;
        finding.text += "; but it may be damaged, its checksum cannot be checked";
      }
    }
    findings.push_back(std::move(finding));
  }
  raw_.clear();
  std::ranges::stable_sort(findings, {}, &Finding::frame);
}

Judge::Judge(JudgeOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Judge::~Judge() = default;
Judge::Judge(Judge&&) noexcept = default;
Judge& Judge::operator=(Judge&&) noexcept = default;

void Judge::take(const CapturedPacket& packet) { state_->take(packet); }
void Judge::missed(std::uint64_t packets) {
  state_->counts.missed += packets;
  state_->is_incomplete = state_->is_incomplete || packets > 0;
}
void Judge::end() { state_->end(); }
const std::vector<Finding>& Judge::findings() const { return state_->findings; }
const std::vector<ConnectionSummary>& Judge::connections() const { return state_->summaries; }
const Judge::Counts& Judge::counts() const { return state_->counts; }
bool Judge::capture_is_incomplete() const { return state_->is_incomplete; }

std::optional<Verdict> Judge::worst() const {
  std::optional<Verdict> worst;
  for (const Finding& finding : state_->findings)
    worst = std::max(worst.value_or(finding.verdict), finding.verdict);
  return worst;
}

}  // namespace transom::drivers::judge
