#include "stack/ip/reassembly.h"

#include <algorithm>

#include "stack/ip/address_words.h"
#include "stack/wire/ipv4.h"
#include "stack/wire/ipv6.h"

namespace transom::ip {

namespace {

constexpr std::size_t kMaxLength = 65535;
constexpr std::uint8_t kCongestionExperienced = 3;

Counter either(const IpAddress& address, Counter v4, Counter v6) { return address.is_v4() ? v4 : v6; }

// RFC 3168 §5.3. nullopt: marked and unmarkable together, which no honest path makes; the datagram is to be
// dropped.
std::optional<std::uint8_t> merged_ecn(std::uint8_t seen, std::uint8_t first) {
  const bool any_marked = (seen & 1U << kCongestionExperienced) != 0;
  const bool any_not_capable = (seen & 1U) != 0;
  if (!any_marked) return first;
  if (any_not_capable) return std::nullopt;
  return kCongestionExperienced;
}

std::uint8_t with_ecn(std::uint8_t traffic_class, std::uint8_t ecn) {
  return static_cast<std::uint8_t>((traffic_class & 0xfcU) | ecn);
}

}  // namespace

std::uint64_t Reassembly::Traits::hash(const SipKey& sip_key, const Key& key) {
  const auto [source_high, source_low] = words_of(key.source);
  const auto [destination_high, destination_low] = words_of(key.destination);
  const std::uint64_t words[] = {source_high, source_low, destination_high, destination_low,
                                 std::uint64_t{key.identification} << 32 |
                                     std::uint64_t{static_cast<std::uint8_t>(key.protocol)} << 16 |
                                     static_cast<std::uint64_t>(key.interface)};
  return siphash_words(sip_key, words);
}

Reassembly::Reassembly(Context& context, const IpConfig& config, IcmpErrors& errors)
    : context_(context),
      config_(config),
      errors_(errors),
      source_key_(context.random.key()),
      table_(context.random.key()) {}

Reassembly::~Reassembly() {
  while (Datagram* datagram = by_age_.oldest()) remove(*datagram);
}

Reassembly::Fault Reassembly::check(const Fragment& fragment, std::size_t packet_size) {
  const std::size_t size = packet_size - fragment.header_size;
  if (size == 0) return Fault::kEmpty;
  if (fragment.more_fragments && size % 8 != 0) return Fault::kLengthNotMultipleOf8;
  // IPv4 counts the header, IPv6 only what follows the fixed one and stays in front of the reassembled
  // payload.
  const std::size_t in_front = fragment.source.is_v4() ? fragment.header_size
                                                       : fragment.header_size - wire::Ipv6Header::kSize -
                                                             wire::Ipv6FragmentHeader::kSize;
  return in_front + fragment.offset + size > kMaxLength ? Fault::kEndsBeyondMaximum : Fault::kNone;
}

Packet Reassembly::add(const Fragment& fragment, Packet packet) {
  context_.count(either(fragment.source, Counter::kIpReasmReqds, Counter::kIp6ReasmReqds));
  if (!packet.linearize()) {
    context_.drop(DropReason::kNoBuffers, Counter::kBufferExhausted);
    return {};
  }
  Datagram* const datagram = find_or_make(fragment);
  if (datagram == nullptr) {
    context_.drop(DropReason::kFragmentLimit,
                  either(fragment.source, Counter::kIpReasmFails, Counter::kIp6ReasmFails));
    return {};
  }
  if (datagram->is_condemned) {
    context_.drop(DropReason::kFragmentOverlap);
    return {};
  }
  switch (fit(*datagram, fragment, packet.head().subspan(fragment.header_size))) {
    case Fit::kDuplicate:
      context_.drop(DropReason::kFragmentDuplicate);
      return {};
    case Fit::kConflict:
      context_.count(Counter::kIpExtReasmOverlaps);
      condemn(*datagram, DropReason::kFragmentOverlap);
      return {};
    case Fit::kNew:
      break;
  }
  if (datagram->pieces.size() >= config_.max_fragments || !make_room(*datagram, packet.memory())) {
    condemn(*datagram, DropReason::kFragmentLimit);
    return {};
  }
  insert(*datagram, fragment, std::move(packet));
  return datagram->is_complete() ? complete(*datagram) : Packet();
}

void Reassembly::abandon(const Fragment& fragment) {
  Datagram* const datagram = table_.find(key_of(fragment));
  if (datagram == nullptr) return;
  context_.count(either(fragment.source, Counter::kIpReasmFails, Counter::kIp6ReasmFails));
  remove(*datagram);
}

// RFC 791 §3.2: source, destination, protocol and identification. RFC 8200 §4.5 leaves out the protocol.
Reassembly::Key Reassembly::key_of(const Fragment& fragment) {
  return {fragment.source, fragment.destination, fragment.identification,
          fragment.source.is_v4() ? fragment.protocol : IpProtocol{}, fragment.interface.id()};
}

Reassembly::Share& Reassembly::share_of(const Key& key) {
  const auto words = words_of(key.source);
  return shares_[siphash_words(source_key_, words) % shares_.size()];
}

Reassembly::Datagram* Reassembly::find_or_make(const Fragment& fragment) {
  const Key key = key_of(fragment);
  if (Datagram* const datagram = table_.find(key)) return datagram;
  Share& share = share_of(key);
  if (share.datagrams >= std::max<std::size_t>(config_.max_reassemblies / 4, 1)) return nullptr;
  if (table_.size() >= config_.max_reassemblies) {
    context_.drop(DropReason::kFragmentLimit,
                  either(fragment.source, Counter::kIpReasmFails, Counter::kIp6ReasmFails));
    remove(*by_age_.oldest());
  }
  auto* datagram = new Datagram;
  datagram->key = key;
  datagram->interface = &fragment.interface;
  datagram->deadline = context_.now + config_.reassembly_timeout;
  ++share.datagrams;
  table_.insert(*datagram);
  by_age_.push(*datagram);
  restart_timer();
  return datagram;
}

Reassembly::Fit Reassembly::fit(const Datagram& datagram, const Fragment& fragment, Bytes payload) {
  const std::size_t end = fragment.offset + payload.size();
  const auto next = std::ranges::lower_bound(datagram.pieces, fragment.offset, {}, &Piece::offset);
  if (next != datagram.pieces.end() && next->offset == fragment.offset && next->size == payload.size()) {
    const bool is_last = datagram.total != 0 && next->end() == datagram.total;
    const bool is_same = is_last != fragment.more_fragments && std::ranges::equal(next->payload(), payload);
    return is_same ? Fit::kDuplicate : Fit::kConflict;
  }
  if (next != datagram.pieces.end() && next->offset < end) return Fit::kConflict;
  if (next != datagram.pieces.begin() && std::prev(next)->end() > fragment.offset) return Fit::kConflict;
  // The last fragment says how long the whole is: there may be only one, and nothing behind it.
  const std::size_t known_end = datagram.pieces.empty() ? 0 : datagram.pieces.back().end();
  if (!fragment.more_fragments && (datagram.total != 0 || known_end > end)) return Fit::kConflict;
  return datagram.total != 0 && end > datagram.total ? Fit::kConflict : Fit::kNew;
}

void Reassembly::insert(Datagram& datagram, const Fragment& fragment, Packet packet) {
  const std::size_t size = packet.size() - fragment.header_size;
  const std::size_t memory = packet.memory();
  datagram.received += size;
  datagram.memory += memory;
  octets_ += memory;
  share_of(datagram.key).octets += memory;
  datagram.ecn_seen |= static_cast<std::uint8_t>(1U << fragment.ecn);
  datagram.to_unicast = datagram.to_unicast && fragment.to_unicast;
  if (!fragment.more_fragments) datagram.total = fragment.offset + size;
  if (fragment.offset == 0) {
    datagram.next_header = fragment.protocol;
    datagram.next_header_offset = fragment.next_header_offset;
  }
  const auto place = std::ranges::lower_bound(datagram.pieces, fragment.offset, {}, &Piece::offset);
  datagram.pieces.insert(place, Piece{fragment.offset, size, fragment.header_size, std::move(packet)});
}

// False when not even the departure of every older datagram would do, or when the sources of this one hold
// too much already.
bool Reassembly::make_room(const Datagram& datagram, std::size_t memory) {
  if (share_of(datagram.key).octets + memory > config_.max_reassembly_octets / 2) return false;
  while (octets_ + memory > config_.max_reassembly_octets) {
    Datagram* const oldest = by_age_.oldest();
    if (oldest == &datagram) return false;
    context_.drop(DropReason::kFragmentLimit,
                  either(oldest->key.source, Counter::kIpReasmFails, Counter::kIp6ReasmFails));
    remove(*oldest);
  }
  return true;
}

Packet Reassembly::complete(Datagram& datagram) {
  const bool is_v4 = datagram.key.source.is_v4();
  const auto fail = [&](DropReason reason) {
    context_.drop(reason, is_v4 ? Counter::kIpReasmFails : Counter::kIp6ReasmFails);
    remove(datagram);
    return Packet();
  };
  const Piece& first = datagram.pieces.front();
  const std::size_t header_size = first.header_size - (is_v4 ? 0 : wire::Ipv6FragmentHeader::kSize);
  const std::size_t fixed_size = is_v4 ? 0 : wire::Ipv6Header::kSize;
  const std::size_t size = header_size + datagram.total;
  if (size - fixed_size > kMaxLength) return fail(DropReason::kFragmentTooBig);

  wire::Reader reader(first.packet.head());
  const bool fits_frame = size + Packet::kHeadRoom <= BufferPool::capacity(BufferSize::kFrame);
  // The header lies in the head room, so that the longest IPv6 packet fits too.
  constexpr std::size_t kMinHeadRoom = 64;
  const std::size_t head_room =
      std::max(kMinHeadRoom, Packet::kHeadRoom - std::min(header_size, Packet::kHeadRoom));
  Packet whole = context_.pool.allocate(fits_frame ? BufferSize::kFrame : BufferSize::kSuperFrame, head_room);
  if (!whole || whole.tail_room() < size) return fail(DropReason::kNoBuffers);
  whole.info() = first.packet.info();
  whole.info().checksum = ChecksumState::kUnknown;  // nobody has seen the whole yet
  wire::Writer writer(whole.append(size));
  if (is_v4) {
    auto header = wire::Ipv4Header::parse_quoted(reader);
    const auto ecn = header ? merged_ecn(datagram.ecn_seen, header->traffic_class & 3U) : std::nullopt;
    if (!ecn) return fail(DropReason::kFragmentEcnMix);
    header->traffic_class = with_ecn(header->traffic_class, *ecn);
    header->total_length = static_cast<std::uint16_t>(size);
    header->more_fragments = false;
    header->write(writer);
  } else {
    auto header = wire::Ipv6Header::parse_quoted(reader);
    const auto ecn = header ? merged_ecn(datagram.ecn_seen, header->traffic_class & 3U) : std::nullopt;
    if (!ecn) return fail(DropReason::kFragmentEcnMix);
    header->traffic_class = with_ecn(header->traffic_class, *ecn);
    header->payload_length = static_cast<std::uint16_t>(size - fixed_size);
    header->write(writer);
    writer.bytes(reader.bytes(header_size - fixed_size));
    // What named the fragment header names what followed it.
    whole.head()[datagram.next_header_offset] = static_cast<std::uint8_t>(datagram.next_header);
  }
  for (const Piece& piece : datagram.pieces) writer.bytes(piece.payload());
  context_.count(is_v4 ? Counter::kIpReasmOKs : Counter::kIp6ReasmOKs);
  remove(datagram);
  return whole;
}

void Reassembly::condemn(Datagram& datagram, DropReason reason) {
  context_.drop(reason, either(datagram.key.source, Counter::kIpReasmFails, Counter::kIp6ReasmFails));
  datagram.is_condemned = true;
  release_pieces(datagram);
}

void Reassembly::release_pieces(Datagram& datagram) {
  octets_ -= datagram.memory;
  share_of(datagram.key).octets -= datagram.memory;
  datagram.memory = 0;
  datagram.pieces = std::vector<Piece>();
}

void Reassembly::remove(Datagram& datagram) {
  release_pieces(datagram);
  --share_of(datagram.key).datagrams;
  table_.erase(datagram);
  by_age_.remove(datagram);
  delete &datagram;
  restart_timer();
}

void Reassembly::expire() {
  while (Datagram* const datagram = by_age_.oldest()) {
    if (datagram->deadline > context_.now) break;
    if (!datagram->is_condemned) {
      context_.count(either(datagram->key.source, Counter::kIpReasmFails, Counter::kIp6ReasmFails));
      context_.drop(DropReason::kFragmentTimeout,
                    either(datagram->key.source, Counter::kIpReasmTimeout, Counter::kIp6ReasmTimeout));
      report_timeout(*datagram);
    }
    remove(*datagram);
  }
  restart_timer();
}

// RFC 1122 §3.3.2, RFC 8200 §4.5: only when the first fragment is there to be quoted.
void Reassembly::report_timeout(const Datagram& datagram) {
  if (!datagram.has_first()) return;
  const Piece& first = datagram.pieces.front();
  const Received cause{.interface = *datagram.interface,
                       .source = datagram.key.source,
                       .destination = datagram.key.destination,
                       .protocol = datagram.next_header,
                       .to_unicast = datagram.to_unicast};
  errors_.send(IcmpErrorMessage::reassembly_timeout(datagram.key.source.family()), cause, first.packet);
}

void Reassembly::restart_timer() {
  const Datagram* const oldest = by_age_.oldest();
  if (oldest == nullptr) return timer_.cancel();
  if (timer_.deadline() != oldest->deadline) timer_.start(context_.timers, oldest->deadline);
}

}  // namespace transom::ip
