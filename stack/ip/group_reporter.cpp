#include "stack/ip/group_reporter.h"

#include <algorithm>

namespace transom::ip {

namespace {

using wire::MembershipRecord;
using wire::MembershipVersion;
using Type = MembershipRecord::Type;

constexpr Duration kUnsolicitedInterval = std::chrono::seconds(1);      // RFC 9776 §8.11
constexpr Duration kOldUnsolicitedInterval = std::chrono::seconds(10);  // RFC 2236 §8.10, RFC 2710 §7.10
constexpr Duration kQueryResponseInterval = std::chrono::seconds(10);   // RFC 9776 §8.3
// However often they ask: who forges questions gets no flood out of us.
constexpr Duration kShortestInterval = std::chrono::seconds(1);
constexpr std::size_t kMaxAskedSources = 256;  // asked for more, the whole group is reported

MembershipRecord record(Type type, const IpAddress& group, std::vector<IpAddress> sources) {
  return {type, group, std::move(sources)};
}

}  // namespace

// RFC 9776 §5: not the group of all systems. RFC 9777 §6: nor those of the scopes 0 and 1.
bool GroupReporter::is_reported(const IpAddress& group) const {
  if (group.is_v4()) return group != IpAddress::v4(224, 0, 0, 1);
  return group != kAllNodes && (group.octets()[1] & 0x0fU) > 1;
}

// ---------------------------------------------------------------- versions

MembershipVersion GroupReporter::version() const {
  if (context_.now < v1_until_) return MembershipVersion::kV1;
  if (context_.now < v2_until_) return MembershipVersion::kV2;
  return MembershipVersion::kV3;
}

// RFC 9776 §7.2.1: with another version, what was about to be said is not.
void GroupReporter::follow_version() {
  if (std::exchange(last_version_, version()) == version()) return;
  changes_due_ = general_due_ = kNever;
  for (auto& [address, group] : groups_) {
    group.mode_reports_left = group.repeats_left = 0;
    group.source_changes.clear();
    group.response_due = kNever;
    group.asked_sources.clear();
  }
  std::erase_if(groups_, [](const auto& entry) { return entry.second.is_done(); });
}

void GroupReporter::note_querier(const wire::MembershipQuery& query) {
  const Instant until = context_.now + query_interval_ * robustness_ + kQueryResponseInterval;
  switch (query.version) {
    case MembershipVersion::kV1:
      v1_until_ = until;
      break;
    case MembershipVersion::kV2:
      v2_until_ = until;
      break;
    case MembershipVersion::kV3:
      // RFC 9776 §4.1.6, §4.1.7: those of the router, where it gives them.
      robustness_ = query.robustness != 0 ? query.robustness : 2;
      if (query.interval != Duration::zero()) query_interval_ = query.interval;
      break;
  }
  follow_version();
}

// ---------------------------------------------------------------- changes

void GroupReporter::changed(const IpAddress& address, const SourceFilter& before, const SourceFilter& now) {
  if (!is_reported(address)) return;
  follow_version();
  Group& group = groups_[address];
  group.filter = now;
  if (version() == MembershipVersion::kV3) {
    note_change(group, before);
    send_changes();  // of other groups too: sooner than promised
  } else if (before.is_nobody()) {
    group.repeats_left = robustness_;
    send_old_report(address, group);
  } else if (now.is_nobody()) {
    leave_old(address, group);
    groups_.erase(address);
  }
  restart_timer();
}

// RFC 9776 §5.1.
void GroupReporter::note_change(Group& group, const SourceFilter& before) {
  if (group.filter.mode != before.mode) {
    group.mode_reports_left = robustness_;
    group.source_changes.clear();
    return;
  }
  const auto note = [&](const IpAddress& source) {
    const auto found = std::ranges::find(group.source_changes, source, &SourceChange::source);
    if (found != group.source_changes.end()) {
      found->reports_left = robustness_;
    } else {
      group.source_changes.push_back({source, robustness_});
    }
  };
  for (const IpAddress& source : group.filter.sources) {
    if (!before.lists(source)) note(source);
  }
  for (const IpAddress& source : before.sources) {
    if (!group.filter.lists(source)) note(source);
  }
}

void GroupReporter::append_changes(const IpAddress& address, Group& group,
                                   std::vector<MembershipRecord>& records) {
  const bool includes = group.filter.mode == FilterMode::kInclude;
  if (group.mode_reports_left > 0) {
    --group.mode_reports_left;
    records.push_back(record(includes ? Type::kToInclude : Type::kToExclude, address, group.filter.sources));
  } else {
    std::vector<IpAddress> allowed, blocked;
    for (const SourceChange& change : group.source_changes)
      (group.filter.accepts(change.source) ? allowed : blocked).push_back(change.source);
    if (!allowed.empty()) records.push_back(record(Type::kAllow, address, std::move(allowed)));
    if (!blocked.empty()) records.push_back(record(Type::kBlock, address, std::move(blocked)));
  }
  std::erase_if(group.source_changes, [](SourceChange& change) { return --change.reports_left == 0; });
}

void GroupReporter::send_changes() {
  std::vector<MembershipRecord> records;
  bool is_more = false;
  for (auto& [address, group] : groups_) {
    append_changes(address, group, records);
    is_more |= group.mode_reports_left > 0 || !group.source_changes.empty();
  }
  std::erase_if(groups_, [](const auto& entry) { return entry.second.is_done(); });
  if (!records.empty()) sender_.send(interface_, records);
  changes_due_ = is_more ? context_.now + context_.random.between(Duration{1}, kUnsolicitedInterval) : kNever;
}

// ---------------------------------------------------------------- questions

void GroupReporter::receive_query(const wire::MembershipQuery& query) {
  note_querier(query);
  const Instant due = context_.now + context_.random.between(Duration::zero(), query.max_response);
  const bool is_general = query.group.is_unspecified();
  if (version() != MembershipVersion::kV3) {
    // RFC 2236 §3: a timer for each group; one that runs is only made shorter.
    for (auto& [address, group] : groups_) {
      if (!is_general && address != query.group) continue;
      const Instant own = context_.now + context_.random.between(Duration::zero(), query.max_response);
      group.response_due = std::min(group.response_due, own);
    }
    return restart_timer();
  }
  // RFC 9776 §5.2: one answer stands for several questions.
  if (general_due_ <= due) return;
  if (is_general) {
    general_due_ = std::max(due, next_general_);
  } else if (const auto found = groups_.find(query.group); found != groups_.end()) {
    ask(found->second, query, due);
  }
  restart_timer();
}

void GroupReporter::ask(Group& group, const wire::MembershipQuery& query, Instant due) {
  const bool is_pending = group.response_due != kNever;
  const bool is_about_all = query.sources.empty() || (is_pending && group.asked_sources.empty());
  if (is_about_all) {
    group.asked_sources.clear();
  } else {
    for (const IpAddress& source : query.sources) {
      if (std::ranges::find(group.asked_sources, source) == group.asked_sources.end())
        group.asked_sources.push_back(source);
    }
    if (group.asked_sources.size() > kMaxAskedSources) group.asked_sources.clear();
  }
  group.response_due = std::min(group.response_due, due);
}

void GroupReporter::receive_report(const IpAddress& address) {
  follow_version();
  if (version() == MembershipVersion::kV3) return;
  const auto found = groups_.find(address);
  if (found == groups_.end() || found->second.response_due == kNever) return;
  found->second.response_due = kNever;
  found->second.repeats_left = 0;
  found->second.was_last_to_report = false;
  restart_timer();
}

// ---------------------------------------------------------------- answers

void GroupReporter::answer_general() {
  general_due_ = kNever;
  next_general_ = context_.now + kShortestInterval;
  std::vector<MembershipRecord> records;
  for (const auto& [address, group] : groups_) {
    if (group.filter.is_nobody()) continue;
    const bool includes = group.filter.mode == FilterMode::kInclude;
    records.push_back(record(includes ? Type::kIsInclude : Type::kIsExclude, address, group.filter.sources));
  }
  if (!records.empty()) sender_.send(interface_, records);
}

void GroupReporter::answer(const IpAddress& address, Group& group) {
  group.response_due = kNever;
  if (version() != MembershipVersion::kV3) return send_old_report(address, group);
  const std::vector<IpAddress> asked = std::exchange(group.asked_sources, {});
  if (group.filter.is_nobody()) return;
  const bool includes = group.filter.mode == FilterMode::kInclude;
  MembershipRecord current =
      record(includes ? Type::kIsInclude : Type::kIsExclude, address, group.filter.sources);
  if (!asked.empty()) {
    current = record(Type::kIsInclude, address, {});
    for (const IpAddress& source : asked) {
      if (group.filter.accepts(source)) current.sources.push_back(source);
    }
    if (current.sources.empty()) return;
  }
  sender_.send(interface_, {&current, 1});
}

void GroupReporter::send_old_report(const IpAddress& address, Group& group) {
  using Kind = wire::OldMembershipMessage::Kind;
  sender_.send(interface_, {version() == MembershipVersion::kV1 ? Kind::kReportV1 : Kind::kReport, address});
  group.was_last_to_report = true;
  if (group.repeats_left > 0 && --group.repeats_left > 0)
    group.response_due = context_.now + context_.random.between(Duration{1}, kOldUnsolicitedInterval);
}

// RFC 2236 §3: only who was the last to report need say so; a router of IGMPv1 would not understand.
void GroupReporter::leave_old(const IpAddress& address, const Group& group) {
  if (version() == MembershipVersion::kV1 || !group.was_last_to_report) return;
  sender_.send(interface_, {wire::OldMembershipMessage::Kind::kLeave, address});
}

// ---------------------------------------------------------------- time

void GroupReporter::on_timer() {
  follow_version();
  if (changes_due_ <= context_.now) send_changes();
  if (general_due_ <= context_.now) answer_general();
  for (auto& [address, group] : groups_) {
    if (group.response_due <= context_.now) answer(address, group);
  }
  restart_timer();
}

void GroupReporter::restart_timer() {
  Instant next = std::min(changes_due_, general_due_);
  for (const auto& [address, group] : groups_) next = std::min(next, group.response_due);
  if (next == kNever) return timer_.cancel();
  timer_.start(context_.timers, next);
}

}  // namespace transom::ip
