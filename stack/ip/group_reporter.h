// Tells the routers of one link what is wanted there, for one family: the host part of IGMPv3 (RFC 9776 §5,
// §7.2) and MLDv2 (RFC 9777 §6, §8.2).
//
//   a filter changes   ─► a state change report at once, and again robustness - 1 times within a second each
//   a router asks      ─► a current state report after a random part of the time that it grants
//   an older router asks ─► for as long as it is there, reports of its version; another member's report
//                           stands for ours (RFC 2236 §3, RFC 2710 §4)
#pragma once

#include <map>
#include <vector>

#include "stack/ip/report_sender.h"
#include "stack/ip/source_filter.h"

namespace transom::ip {

class GroupReporter {
 public:
  GroupReporter(Context& context, ReportSender& sender, link::Interface& interface)
      : context_(context), sender_(sender), interface_(interface) {}
  GroupReporter(const GroupReporter&) = delete;
  GroupReporter& operator=(const GroupReporter&) = delete;

  void changed(const IpAddress& group, const SourceFilter& before, const SourceFilter& now);
  void receive_query(const wire::MembershipQuery& query);
  // Of another member, in an older version.
  void receive_report(const IpAddress& group);

  // What is spoken now.
  wire::MembershipVersion version() const;

 private:
  struct SourceChange {
    IpAddress source;
    int reports_left;
  };
  struct Group {
    SourceFilter filter;
    // To be reported because it changed.
    int mode_reports_left = 0;
    std::vector<SourceChange> source_changes;
    // To be reported because a router asked; about all sources when it named none.
    Instant response_due = kNever;
    std::vector<IpAddress> asked_sources;
    // Of the older versions.
    int repeats_left = 0;
    bool was_last_to_report = false;

    bool is_done() const { return filter.is_nobody() && mode_reports_left == 0 && source_changes.empty(); }
  };

  bool is_reported(const IpAddress& group) const;
  void follow_version();
  void note_querier(const wire::MembershipQuery& query);
  void note_change(Group& group, const SourceFilter& before);
  void send_changes();
  void append_changes(const IpAddress& address, Group& group, std::vector<wire::MembershipRecord>& records);
  void ask(Group& group, const wire::MembershipQuery& query, Instant due);
  void answer_general();
  void answer(const IpAddress& address, Group& group);
  void send_old_report(const IpAddress& address, Group& group);
  void leave_old(const IpAddress& address, const Group& group);
  void on_timer();
  void restart_timer();

  Context& context_;
  ReportSender& sender_;
  link::Interface& interface_;
  std::map<IpAddress, Group> groups_;
  Instant changes_due_ = kNever;
  Instant general_due_ = kNever;
  Instant next_general_{Duration::min()};                // all groups are not reported before
  int robustness_ = 2;                                   // RFC 9776 §8.1
  Duration query_interval_ = std::chrono::seconds(125);  // RFC 9776 §8.2
  Instant v1_until_{Duration::min()};                    // an older router is taken to be there
  Instant v2_until_{Duration::min()};
  wire::MembershipVersion last_version_ = wire::MembershipVersion::kV3;
  Timer timer_{call_member<&GroupReporter::on_timer>, this};
};

}  // namespace transom::ip
