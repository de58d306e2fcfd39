// transom rewrite: a capture with other addresses, ports, lengths, and without what check-capture complains
// of.
#include "drivers/capture/connection_list.h"
#include "drivers/capture/duplicate_finder.h"
#include "drivers/capture/edit/length_changes.h"
#include "drivers/capture/edit/rewrite_changes.h"
#include "tools/capture_copy.h"
#include "tools/failure.h"

namespace transom::tools {

namespace {

struct RewriteOptions {
  CopyOptions copy;
  std::string both, sources, destinations, ports, source_mac, destination_mac, macs, ttl;
  int tos = -1;
  bool fixes_checksums = false;
  std::uint32_t mtu = 1500;
  bool cuts_to_mtu = false;
  std::string fix_length;
  std::vector<std::string> fixes;

  bool has_fix(const char* name) const { return std::ranges::find(fixes, name) != fixes.end(); }
};

MacAddress mac_of(const std::string& text) {
  const auto mac = MacAddress::parse(text);
  if (!mac) fail(Exit::kUsage, "'{}' is no MAC address; write 02:00:00:00:00:01", text);
  return *mac;
}

template <typename Value>
Value or_fail(std::expected<Value, std::string> result) {
  if (!result) fail(Exit::kUsage, "{}", result.error());
  if constexpr (!std::is_void_v<Value>) return std::move(*result);
}

drivers::RewriteRules rules_of(const RewriteOptions& options) {
  drivers::RewriteRules rules;
  const auto add = [](std::vector<drivers::NetworkMapping>& to, const std::string& text) {
    if (text.empty()) return;
    const auto mappings = or_fail(drivers::RewriteRules::parse_networks(text));
    to.insert(to.end(), mappings.begin(), mappings.end());
  };
  add(rules.sources, options.sources);
  add(rules.destinations, options.destinations);
  add(rules.sources, options.both);
  add(rules.destinations, options.both);
  if (!options.ports.empty()) or_fail(rules.add_ports(options.ports));
  if (!options.ttl.empty()) or_fail(rules.set_ttl(options.ttl));
  if (!options.source_mac.empty()) rules.source_mac = mac_of(options.source_mac);
  if (!options.destination_mac.empty()) rules.destination_mac = mac_of(options.destination_mac);
  if (!options.macs.empty()) {
    const std::size_t comma = options.macs.find(',');
    if (comma == std::string::npos)
      fail(Exit::kUsage, "'{}' is no pair of MAC addresses; write OLD,NEW", options.macs);
    rules.macs[mac_of(options.macs.substr(0, comma))] = mac_of(options.macs.substr(comma + 1));
  }
  if (options.tos >= 0) rules.traffic_class = static_cast<std::uint8_t>(options.tos);
  return rules;
}

// One packet after the other through all that was asked for.
class Rewriter {
 public:
  explicit Rewriter(const RewriteOptions& options)
      : options_(options),
        changes_(rules_of(options)),
        editor_(changes_),
        leaves_out_partial_(options.has_fix("no-handshake")),
        leaves_out_duplicates_(options.has_fix("duplicates")),
        holds_clock_(options.has_fix("clock-steps")),
        cuts_super_packets_(options.has_fix("super-packets")),
        reduces_to_ip_(options.has_fix("link-types")),
        fills_checksums_(options.fixes_checksums || options.has_fix("checksums")) {}

  void take(const drivers::CapturedPacket& packet, const Emit& emit) {
    if (packet.is_cut() && options_.fix_length == "del") return;
    if (packet.is_cut() && options_.fix_length == "pad") {
      auto padded = drivers::OwnedPacket::copy_of(packet);
      drivers::pad_to_length(padded);
      return take_whole(padded.packet, emit);
    }
    take_whole(packet, emit);
  }

 private:
  void take_whole(const drivers::CapturedPacket& packet, const Emit& emit) {
    const auto view = drivers::PacketView::parse(packet);
    std::uint32_t segment = 0;
    if (view && view->tcp) {
      const auto [connection, side] = connections_.take(packet, *view);
      if (leaves_out_partial_ && !connection.has_handshake()) return;
      segment = segment_of(*view, connection.maximum_segment_size[1 - side]);
    }
    if (leaves_out_duplicates_ && duplicates_.is_duplicate(packet, view)) return;
    if (cuts_super_packets_ && view && view->tcp && view->payload_length > segment) {
      auto segments = drivers::segments_of(packet, *view, segment);
      for (drivers::OwnedPacket& each : segments) finish(each, emit);
      if (!segments.empty()) return;
    }
    auto owned = drivers::OwnedPacket::copy_of(packet);
    finish(owned, emit);
  }

  // What the other side takes; where it was not heard, what the MTU leaves.
  std::uint32_t segment_of(const drivers::PacketView& view, std::optional<std::uint16_t> announced) const {
    const auto headers = static_cast<std::uint32_t>(view.payload_offset - view.network_offset);
    const std::uint32_t room = options_.mtu - std::min(options_.mtu, headers);
    const auto options =
        static_cast<std::uint32_t>(view.payload_offset - view.transport_offset - wire::TcpHeader::kMinSize);
    // RFC 9293 §3.7.1: options take from the segment, not from the MSS.
    return announced
               ? std::min<std::uint32_t>(room, *announced - std::min<std::uint32_t>(*announced, options))
               : room;
  }

  void finish(drivers::OwnedPacket& owned, const Emit& emit) {
    if (reduces_to_ip_ && !drivers::reduce_to_ip(owned)) return;
    if (holds_clock_) owned.packet.time = last_time_ = std::max(last_time_, owned.packet.time);
    if (owned.packet.is_cut() && options_.fix_length == "trunc") drivers::cut_to_length(owned, kNoMtu);
    if (options_.cuts_to_mtu) drivers::cut_to_length(owned, options_.mtu);
    const drivers::CapturedPacket before = owned.packet;
    editor_.edit(before, owned.octets);
    if (fills_checksums_) drivers::fill_in_checksums(owned.packet, owned.octets);
    emit(owned.packet);
  }

  static constexpr std::uint32_t kNoMtu = 1U << 20U;

  const RewriteOptions& options_;
  drivers::RewriteChanges changes_;
  drivers::PacketEditor editor_;
  bool leaves_out_partial_, leaves_out_duplicates_, holds_clock_, cuts_super_packets_, reduces_to_ip_,
      fills_checksums_;
  drivers::ConnectionList connections_;
  drivers::DuplicateFinder duplicates_;
  Duration last_time_ = Duration::min();
};

int run(const RewriteOptions& options) {
  Rewriter rewriter(options);
  CopyOptions copy = options.copy;
  copy.is_bare_ip = options.has_fix("link-types");
  const CopyResult result = copy_capture(
      copy, [&](const drivers::CapturedPacket& packet, const Emit& emit) { rewriter.take(packet, emit); });
  fmt::print(stderr, "{} packets read, {} written{}\n", result.read, result.written,
             result.blocks_left_out == 0
                 ? ""
                 : fmt::format("; {} blocks of pcapng left out, which the result has no room for",
                               result.blocks_left_out));
  return 0;
}

}  // namespace

void add_rewrite(CLI::App& app, Selection& selected) {
  CLI::App* command = app.add_subcommand("rewrite", "A capture with other addresses, ports and lengths");
  auto options = std::make_shared<RewriteOptions>();
  add_copy_options(*command, options->copy);
  command->add_option("--pnat", options->both, "Other networks, of sources and destinations")
      ->type_name("FROM:TO,...");
  command->add_option("--srcipmap", options->sources, "Other networks, of sources alone")
      ->type_name("FROM:TO,...");
  command->add_option("--dstipmap", options->destinations, "Other networks, of destinations alone")
      ->type_name("FROM:TO,...");
  command->add_option("--portmap", options->ports, "Other ports of TCP and UDP")->type_name("FROM:TO,...");
  command->add_option("--enet-smac", options->source_mac, "The source address of every frame")
      ->type_name("MAC");
  command
      ->add_option("--enet-dmac", options->destination_mac,
                   "The destination address of every frame that goes to one host")
      ->type_name("MAC");
  command->add_option("--enet-subsmac", options->macs, "Another address for one of them")
      ->type_name("OLD,NEW");
  command->add_option("--ttl", options->ttl, "The TTL or hop limit; +1 and -1 change it")->type_name("TTL");
  command->add_option("--tos", options->tos, "The TOS or traffic class")
      ->type_name("NUMBER")
      ->check(CLI::Range(0, 255));
  command->add_flag("--fixcsum", options->fixes_checksums, "Every checksum is computed anew, bad ones too");
  command
      ->add_option("--mtu", options->mtu,
                   "What --mtu-trunc and --fix super-packets keep to, octets of IP packet")
      ->type_name("OCTETS")
      ->check(CLI::Range(68, 65535))
      ->capture_default_str();
  command->add_flag("--mtu-trunc", options->cuts_to_mtu,
                    "Packets longer than the MTU are cut to it, and say so");
  command
      ->add_option(
          "--fixlen", options->fix_length,
          "Packets that a snap length has cut: filled with zeros, made as short as they are, or left out")
      ->type_name("pad|trunc|del")
      ->check(CLI::IsMember({"pad", "trunc", "del"}));
  command
      ->add_option("--fix", options->fixes,
                   "What check-capture complains of: "
                   "duplicates and connections without handshake are left out, super-packets cut as the wire "
                   "had them, "
                   "times held until the clock is there again, all reduced to bare IP, checksums computed")
      ->type_name("duplicates|no-handshake|super-packets|clock-steps|link-types|checksums")
      ->delimiter(',')
      ->check(CLI::IsMember(
          {"duplicates", "no-handshake", "super-packets", "clock-steps", "link-types", "checksums"}));
  command->footer(
      "Addresses are changed within ARP, Neighbor Discovery and the packets that ICMP quotes, too. Without "
      "--fixcsum, checksums "
      "are what they were: good ones good, bad ones bad.\n"
      "Example: transom rewrite in.pcapng out.pcapng --pnat 10.0.0.0/8:172.16.0.0/12 --portmap 80:8080");
  command->callback([options, &selected] { selected.run = [options] { return run(*options); }; });
}

}  // namespace transom::tools
