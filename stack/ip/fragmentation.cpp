#include "stack/ip/fragmentation.h"

#include <algorithm>
#include <array>

#include "stack/wire/checksum.h"

namespace transom::ip {

namespace {

// One fragment's place in the whole.
struct Piece {
  std::size_t offset;
  std::size_t size;
  bool is_last;
};

// Cuts `payload`, from `start` on, into pieces of a multiple of 8 octets, and has `write_header` put
// `header_size` octets in front of each.
template <typename WriteHeader>
bool cut(const Packet& payload, std::size_t start, std::size_t header_size, std::uint32_t mtu,
         PacketQueue& out, WriteHeader write_header) {
  if (mtu < header_size + 8) return false;
  const std::size_t room = (mtu - header_size) / 8 * 8;
  const std::size_t total = payload.size() - start;
  const std::size_t head_room = Packet::kHeadRoom + start;
  PacketQueue fragments;
  for (std::size_t offset = 0; offset < total; offset += room) {
    const Piece piece{offset, std::min(room, total - offset), offset + room >= total};
    const bool fits_frame = piece.size + head_room <= BufferPool::capacity(BufferSize::kFrame);
    Packet fragment =
        payload.pool().allocate(fits_frame ? BufferSize::kFrame : BufferSize::kSuperFrame, head_room);
    if (!fragment || fragment.tail_room() < piece.size) return false;
    payload.copy_out(start + piece.offset, fragment.append(piece.size));
    wire::Writer writer(fragment.prepend(header_size));
    write_header(writer, piece);
    fragments.push(std::move(fragment));
  }
  out.splice(fragments);
  return true;
}

// RFC 791 §3.1: an option without the copied flag is in the first fragment only. The others keep its place,
// filled with No Operation.
void blank_uncopied_options(MutableBytes options) {
  constexpr std::uint8_t kCopied = 0x80;
  std::size_t at = 0;
  while (at < options.size() && options[at] != wire::Ipv4Option::kEndOfList) {
    if (options[at] == wire::Ipv4Option::kNoOperation) {
      ++at;
      continue;
    }
    if (at + 1 >= options.size() || options[at + 1] < 2) return;
    const std::size_t length = std::min<std::size_t>(options[at + 1], options.size() - at);
    if ((options[at] & kCopied) == 0)
      std::ranges::fill(options.subspan(at, length), wire::Ipv4Option::kNoOperation);
    at += length;
  }
}

}  // namespace

bool fragment_ipv4(const wire::Ipv4Header& header, const Packet& payload, std::uint32_t mtu,
                   PacketQueue& out) {
  const std::size_t header_size = header.size();
  std::array<std::uint8_t, wire::Ipv4Header::kMaxSize> copied{};
  const MutableBytes later_options = MutableBytes(copied).first(header.options.size());
  std::ranges::copy(header.options, later_options.begin());
  blank_uncopied_options(later_options);
  return cut(payload, 0, header_size, mtu, out, [&](wire::Writer& writer, const Piece& piece) {
    wire::Ipv4Header own = header;
    own.total_length = static_cast<std::uint16_t>(header_size + piece.size);
    own.fragment_offset = static_cast<std::uint16_t>(header.fragment_offset + piece.offset);
    own.more_fragments = header.more_fragments || !piece.is_last;
    if (piece.offset != 0) own.options = later_options;
    own.write(writer);
  });
}

bool fragment_ipv6(const wire::Ipv6Header& header, std::uint32_t identification, const Packet& payload,
                   std::uint32_t mtu, PacketQueue& out, const ExtensionChain& chain) {
  // RFC 8200 §4.5: the last of what is in front of every fragment names the fragment header.
  std::vector<std::uint8_t> in_front(chain.unfragmentable);
  (void)payload.copy_out(0, in_front);
  wire::Ipv6Header own = header;
  IpProtocol next = header.next_header;
  if (in_front.empty()) {
    own.next_header = IpProtocol::kFragment;
  } else {
    next = static_cast<IpProtocol>(
        std::exchange(in_front[chain.last_next], static_cast<std::uint8_t>(IpProtocol::kFragment)));
  }
  const std::size_t behind_header = in_front.size() + wire::Ipv6FragmentHeader::kSize;
  const std::size_t headers = wire::Ipv6Header::kSize + behind_header;
  return cut(payload, in_front.size(), headers, mtu, out, [&](wire::Writer& writer, const Piece& piece) {
    own.payload_length = static_cast<std::uint16_t>(behind_header + piece.size);
    own.write(writer);
    writer.bytes(in_front);
    wire::Ipv6FragmentHeader fragment;
    fragment.next_header = next;
    fragment.offset = static_cast<std::uint16_t>(piece.offset);
    fragment.more_fragments = !piece.is_last;
    fragment.identification = identification;
    fragment.write(writer);
  });
}

void complete_transport_checksum(Packet& packet) {
  if (packet.info().checksum != ChecksumState::kPartial) return;
  packet.info().checksum = ChecksumState::kUnknown;
  const std::size_t field = packet.info().checksum_field;
  if (field + 2 > packet.head().size()) return;
  wire::ChecksumSum
      sum;  // the field holds the sum of the pseudo-header, so that it counts as octets like the others
  wire::add_packet(sum, packet);
  const std::uint16_t checksum = sum.checksum();
  // RFC 768: zero would mean "none"; all ones is the same number.
  wire::Writer(packet.head().subspan(field, 2)).u16(checksum == 0 ? 0xffff : checksum);
}

}  // namespace transom::ip
