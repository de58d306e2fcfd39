// Puts reports of group membership into packets: TTL or hop limit 1, with a router alert (RFC 9776 §4, RFC
// 9777 §5), as many as the records need.
#pragma once

#include <span>

#include "stack/base/context.h"
#include "stack/link/link_layer.h"
#include "stack/wire/membership.h"

namespace transom::ip {

class ReportSender {
 public:
  ReportSender(Context& context, link::LinkLayer& link) : context_(context), link_(link) {}

  // IGMPv3, MLDv2: to all routers that understand them. At least one record; all of one family.
  void send(link::Interface& interface, std::span<const wire::MembershipRecord> records);
  // The older versions: a report to the group, a leave to all routers.
  void send(link::Interface& interface, const wire::OldMembershipMessage& message);

 private:
  template <typename Message>
  void send_to(link::Interface& interface, const IpAddress& destination, const Message& message);

  Context& context_;
  link::LinkLayer& link_;
};

}  // namespace transom::ip
