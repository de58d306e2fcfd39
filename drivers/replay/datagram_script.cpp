#include "drivers/replay/datagram_script.h"

#include <fmt/format.h>

#include <algorithm>

#include "drivers/capture/icmp_error.h"
#include "drivers/replay/fragment_joiner.h"
#include "drivers/replay/group_flows.h"
#include "stack/wire/icmp.h"

namespace transom::drivers::replay {

namespace {

constexpr std::size_t kMaxOrphans = 4096;
constexpr std::uint16_t kDns = 53, kLlmnr = 5355;

bool is_of_the_link(IpProtocol protocol, std::uint8_t type) {
  return protocol == IpProtocol::kIcmpv6 && type >= 130 && type != 139 && type != 140;
}

// A packet of a flow, kept until the flow is known whole.
struct Item {
  std::vector<std::uint8_t> octets;  // from the IP header on
  std::uint32_t on_wire;
  std::uint64_t number;
  Duration time;
  bool is_ours;

  CapturedPacket captured() const {
    CapturedPacket packet;
    packet.number = number;
    packet.time = time;
    packet.link_type = LinkType::kRaw;
    packet.octets = octets;
    packet.original_length = on_wire;
    return packet;
  }
};

Item item_of(const CapturedPacket& packet, const PacketView& view, bool is_ours) {
  const Bytes octets = packet.octets.subspan(view.network_offset);
  const std::size_t length = view.transport_offset - view.network_offset + view.transport_length;
  const Bytes kept = octets.first(std::min(octets.size(), length));  // without what pads a frame
  return {
      {kept.begin(), kept.end()}, static_cast<std::uint32_t>(length), packet.number, packet.time, is_ours};
}

class ScriptWriter {
 public:
  ScriptWriter(const Flow& flow, std::size_t ours, Duration begin) : capture_begin_(begin) {
    script_.protocol = flow.protocol;
    script_.ours = flow.ends[ours];
    script_.theirs = flow.ends[1 - ours];
  }

  // Of what is said to many.
  ScriptWriter(const GroupConversation& conversation, IpProtocol protocol, const GroupFlows& groups,
               Duration begin)
      : capture_begin_(begin), groups_(&groups) {
    script_.protocol = protocol;
    script_.group = conversation.group;
    if (conversation.we_ask) script_.ours = conversation.asker;
    script_.theirs = conversation.we_ask ? conversation.group : conversation.asker;
    knows_ours_ = conversation.we_ask;
  }

  void add(Item item) { items_.push_back(std::move(item)); }

  DatagramScript finish() && {
    std::ranges::stable_sort(items_, {}, &Item::number);
    if (!items_.empty()) {
      script_.begin = items_.front().time - capture_begin_;
      script_.is_opener = items_.front().is_ours;
      last_ = items_.front().time;
    }
    for (Item& item : items_) {
      const CapturedPacket packet = item.captured();
      const auto view = PacketView::parse(packet);
      if (!view) continue;
      item.is_ours ? ours(item, packet, *view) : theirs(packet, *view);
    }
    return std::move(script_);
  }

 private:
  void theirs(const CapturedPacket& packet, const PacketView& view) {
    const auto whole = joiner_.add(view, behind_ip(packet, view));
    if (!whole) return;
    auto saying = saying_of(view.protocol, *whole);
    if (!saying) return;
    ExpectedDatagram& expected = script_.expected.emplace_back();
    expected.number = packet.number;
    expected.saying = std::move(*saying);
    // Who asks chooses the identifier of a question (RFC 1035 §4.1.1, RFC 4795 §2.1.1).
    const auto port = to_number(script_.ours.port);
    if (view.protocol == IpProtocol::kUdp && (port == kDns || port == kLlmnr))
      expected.ignored.emplace_back(0, 2);
    last_ = packet.time;
  }

  void ours(Item& item, const CapturedPacket& packet, const PacketView& view) {
    DatagramStep step;
    if (groups_ != nullptr) {
      step.partner = partner_of(packet, view);
      if (view.source != script_.ours.address) return;  // another one of our side speaks to the group, too
    }
    step.number = packet.number;
    step.time = packet.time - capture_begin_ - script_.begin;
    step.think = std::max(packet.time - last_, Duration::zero());
    step.awaits = script_.expected.size();
    last_ = packet.time;
    const Bytes message = behind_ip(packet, view);
    if (is_icmp(view.protocol) && view.fragment_offset == 0 && !message.empty()) {
      step.is_error = is_icmp_error(view.protocol, message[0]);
      step.echoes = echoed_by(view, message);
      if (step.echoes && view.is_fragment) echo_ = FragmentKey(view);
    } else if (view.fragment_offset != 0) {
      step.is_part_of_echo = echo_ == FragmentKey(view);
    }
    step.kind = view.protocol == IpProtocol::kUdp ? "UDP" : "ICMP";
    step.is_fragment = view.is_fragment;
    if (view.is_fragment) step.kind += fmt::format(" fragment at {}", view.fragment_offset);
    step.octets = std::move(item.octets);
    step.is_cut = step.octets.size() < item.on_wire;
    step.octets.resize(item.on_wire);
    script_.steps.push_back(std::move(step));
  }

  // Whom of many a packet of ours goes to; nullopt: all, or who has asked. The first one shows who we are.
  std::optional<Endpoint> partner_of(const CapturedPacket& packet, const PacketView& view) {
    const auto [from, to] = ends_of(packet, view);
    if (!knows_ours_) script_.ours = from;
    knows_ours_ = true;
    const bool is_one = view.fragment_offset == 0 && to != script_.theirs && !groups_->is_to_many(to.address);
    return is_one ? std::optional(to) : std::nullopt;
  }

  // The last request that the reply has identifier and sequence number of.
  std::optional<std::size_t> echoed_by(const PacketView& view, Bytes message) const {
    const bool is_v4 = view.protocol == IpProtocol::kIcmp;
    if (message[0] != (is_v4 ? 0 : 129) || message.size() < wire::IcmpHeader::kSize) return std::nullopt;
    for (std::size_t i = script_.expected.size(); i-- > 0;) {
      const auto& asked = script_.expected[i].saying.octets;
      if (asked.size() >= wire::IcmpHeader::kSize && asked[0] == (is_v4 ? 8 : 128) &&
          asked[6] == message[6] && asked[7] == message[7])
        return i;
    }
    return std::nullopt;
  }

  DatagramScript script_;
  Duration capture_begin_;
  std::vector<Item> items_;
  FragmentJoiner joiner_;
  Duration last_{};
  const GroupFlows* groups_ = nullptr;
  bool knows_ours_ = true;
  std::optional<FragmentKey> echo_;  // whose fragments are those of an echo reply of ours
};

}  // namespace

std::optional<QuotedView> quoted_by(IpProtocol protocol, Bytes transport) {
  if (!is_icmp(protocol) || transport.size() < wire::IcmpHeader::kSize ||
      !is_icmp_error(protocol, transport[0]))
    return std::nullopt;
  QuotedView quoted;
  quoted.packet.link_type = LinkType::kRaw;
  quoted.packet.octets = transport.subspan(wire::IcmpHeader::kSize);
  quoted.packet.original_length = static_cast<std::uint32_t>(quoted.packet.octets.size());
  const auto view = PacketView::parse(quoted.packet);
  if (!view) return std::nullopt;
  quoted.view = *view;
  return quoted;
}

std::optional<Saying> saying_of(IpProtocol protocol, Bytes transport) {
  if (protocol == IpProtocol::kUdp) {
    wire::Reader reader(transport);
    const auto header = wire::UdpHeader::parse(reader);
    if (!header || header->length > transport.size() || header->length < wire::UdpHeader::kSize)
      return std::nullopt;
    const Bytes payload = transport.first(header->length).subspan(wire::UdpHeader::kSize);
    return Saying{"UDP", {payload.begin(), payload.end()}};
  }
  if (transport.size() < wire::IcmpHeader::kSize) return std::nullopt;
  if (is_about_groups(protocol, transport)) {
    Saying saying{fmt::format("{} type {}", protocol == IpProtocol::kIgmp ? "IGMP" : "MLD", transport[0]),
                  {transport.begin(), transport.end()}};
    saying.octets[2] = saying.octets[3] = 0;
    return saying;
  }
  if (!is_icmp(protocol) || is_of_the_link(protocol, transport[0])) return std::nullopt;
  Saying saying{fmt::format("ICMP type {} code {}", transport[0], transport[1]),
                {transport.begin(), transport.end()}};
  saying.octets[2] = saying.octets[3] = 0;
  if (is_icmp_error(protocol, transport[0])) {
    saying.octets.resize(wire::IcmpHeader::kSize);
  } else {
    saying.octets[4] = saying.octets[5] = 0;
  }
  return saying;
}

bool ExpectedDatagram::is_ignored(std::size_t at) const {
  return std::ranges::any_of(ignored,
                             [&](const auto& range) { return range.first <= at && at < range.second; });
}

bool ExpectedDatagram::equals(Bytes octets) const {
  if (octets.size() != saying.octets.size()) return false;
  for (std::size_t i = 0; i < octets.size(); ++i)
    if (octets[i] != saying.octets[i] && !is_ignored(i)) return false;
  return true;
}

std::expected<std::map<std::size_t, DatagramScript>, CaptureError> make_datagram_scripts(
    CaptureReader& reader, const Scene& scene, const Cast& cast) {
  FlowTable table;
  GroupFlows groups(scene, cast);
  std::map<std::size_t, ScriptWriter> writers;
  std::map<FragmentKey, ScriptWriter*> fragments;  // of those whose first one is known
  std::multimap<FragmentKey, Item> orphans;        // came before their first one
  // Null for what is not to be played.
  const auto writer_of = [&](std::size_t flow, const GroupConversation* conversation,
                             IpProtocol protocol) -> ScriptWriter* {
    if (conversation != nullptr)
      return &writers.try_emplace(conversation->flow, *conversation, protocol, groups, scene.begin)
                  .first->second;
    const auto ours = cast.ours(flow);
    if (!ours) return nullptr;
    return &writers.try_emplace(flow, scene.flows[flow], *ours, scene.begin).first->second;
  };
  const auto read = for_each_placed(
      reader, table, [&](const CapturedPacket& packet, const PacketView& view, const Place& place) {
        const bool is_known = view.protocol == IpProtocol::kUdp || view.protocol == IpProtocol::kIgmp;
        if (!is_known && !is_icmp(view.protocol)) return;
        const bool is_ours = cast.is_ours(view.source);
        if (view.fragment_offset != 0) {
          if (const auto found = fragments.find(FragmentKey(view)); found != fragments.end()) {
            found->second->add(item_of(packet, view, is_ours));
          } else if (orphans.size() < kMaxOrphans) {
            orphans.emplace(FragmentKey(view), item_of(packet, view, is_ours));
          }
          return;
        }
        ScriptWriter* writer = nullptr;
        const Bytes message = behind_ip(packet, view);
        const bool is_about_group = is_about_groups(view.protocol, message);
        // Who else is in a group answers nobody.
        if (is_about_group && !is_ours && !is_group_query(view.protocol, message)) return;
        if (is_icmp(view.protocol) && !is_about_group) {
          if (message.empty() || is_of_the_link(view.protocol, message[0])) return;
          std::size_t flow = place.flow;
          if (is_icmp_error(view.protocol, message[0])) {
            const auto quoted = quoted_by(view.protocol, message);
            const auto found = quoted ? table.find(quoted->packet, quoted->view) : std::nullopt;
            if (!found || scene.tcp.contains(*found)) return;
            flow = *found;
          }
          writer = writer_of(flow, groups.known(flow), view.protocol);
        } else {
          writer = writer_of(place.flow, groups.of(packet, view, place.flow), view.protocol);
        }
        if (writer == nullptr) return;
        if (view.is_fragment) {
          fragments.insert_or_assign(FragmentKey(view), writer);
          for (auto [at, end] = orphans.equal_range(FragmentKey(view)); at != end; at = orphans.erase(at))
            writer->add(std::move(at->second));
        }
        writer->add(item_of(packet, view, is_ours));
      });
  if (!read) return std::unexpected(read.error());
  std::map<std::size_t, DatagramScript> scripts;
  for (auto& [flow, writer] : writers) scripts.emplace(flow, std::move(writer).finish());
  std::erase_if(scripts, [](const auto& entry) {  // nobody can start it
    return entry.second.steps.empty() || (!entry.second.is_opener && entry.second.expected.empty());
  });
  return scripts;
}

}  // namespace transom::drivers::replay
