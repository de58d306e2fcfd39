#include "drivers/packet_device.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "drivers/datagram_train.h"
#include "drivers/ethernet_interface.h"
#include "drivers/file_descriptor.h"
#include "drivers/network_setup.h"
#include "drivers/packet_ring.h"
#include "drivers/pieces.h"
#include "drivers/spare_buffers.h"

namespace transom::drivers {

namespace {

constexpr std::size_t kMaxBatch = 32;    // frames sent by one call
constexpr int kSocketBuffer = 16 << 20;  // octets: super-frames that wait
constexpr auto kEthernet = link::LinkType::kEthernet;

struct Setup {
  std::string name;
  unsigned index = 0;
  MacAddress mac;
  bool offload = true;
};

class PacketDevice final : public Device {
 public:
  PacketDevice(FileDescriptor socket, PacketRing ring, Setup setup)
      : socket_(std::move(socket)), ring_(std::move(ring)), setup_(std::move(setup)) {}

  DeviceProperties properties() const override;
  std::size_t receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant now) override;
  void transmit(PacketQueue& frames, Instant now) override;
  int descriptor() const override { return socket_.get(); }
  Instant next_deadline() const override { return waiting_.empty() ? kNever : Instant(); }
  DeviceStatistics statistics() const override;
  const DeviceError* failure() const override { return failure_ ? &*failure_ : nullptr; }

 private:
  enum class Read : std::uint8_t { kFrame, kDropped, kNoMemory };

  Read take(BufferPool& pool, const PacketRing::Slot& slot);
  Read take_from_queue(BufferPool& pool, Packet& frame, VnetHeader& offload);
  std::size_t send_batch(PacketQueue& frames);
  void notice_end();

  FileDescriptor socket_;
  PacketRing ring_;
  Setup setup_;
  SpareBuffers spares_;
  PacketQueue waiting_;  // datagrams that came in one frame
  mutable DeviceStatistics statistics_;
  std::optional<DeviceError> failure_;
};

DeviceProperties PacketDevice::properties() const {
  DeviceProperties properties;
  properties.name = setup_.name;
  properties.mac = setup_.mac;
  if (const auto mtu = link_mtu(setup_.name)) properties.mtu = *mtu;
  properties.offloads = {
      .checksum = setup_.offload, .segment_ipv4 = setup_.offload, .segment_ipv6 = setup_.offload};
  return properties;
}

DeviceStatistics PacketDevice::statistics() const {
  tpacket_stats lost{};
  socklen_t size = sizeof lost;
  // What found the ring full; the kernel counts anew after each look.
  if (getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &lost, &size) == 0)
    statistics_.receive_drops += lost.tp_drops;
  return statistics_;
}

// ---------------------------------------------------------------- receiving

PacketDevice::Read PacketDevice::take_from_queue(BufferPool& pool, Packet& frame, VnetHeader& offload) {
  frame = pool.allocate();
  if (!frame) return Read::kNoMemory;
  spares_.refill(pool);
  const MutableBytes head = frame.append(frame.tail_room());
  const auto spares = spares_.room();
  std::array<iovec, 4> pieces{iovec{&offload, sizeof offload}, piece(head), piece(spares[0]),
                              piece(spares[1])};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  ssize_t got = 0;
  do {
    got = recvmsg(socket_.get(), &message, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  const auto octets = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  if (octets < sizeof offload || (message.msg_flags & MSG_TRUNC) != 0) return Read::kDropped;
  return spares_.take(frame, octets - sizeof offload) ? Read::kFrame : Read::kDropped;
}

// Puts the frame of the slot, or the datagrams that it stands for, behind what waits.
PacketDevice::Read PacketDevice::take(BufferPool& pool, const PacketRing::Slot& slot) {
  VnetHeader offload = slot.offload;
  Packet frame;
  if (slot.is_in_queue) {
    const Read read = take_from_queue(pool, frame, offload);
    if (read != Read::kFrame) return read;
  } else {
    if (slot.is_cut) return Read::kDropped;  // more super-frames than the socket's queue takes
    frame = pool.copy_of(slot.octets);
    if (!frame) return Read::kNoMemory;
  }
  // The offsets of the offload header count without the tag.
  PacketQueue taken;
  if (offload.gso_type == VnetHeader::kGsoUdp) {
    if (!cut_datagrams(frame, kEthernet, offload.gso_size, taken)) return Read::kDropped;
  } else {
    if (!apply_vnet_header(offload, kEthernet, frame)) return Read::kDropped;
    taken.push(std::move(frame));
  }
  for (std::size_t left = taken.size(); left > 0; --left) {
    frame = taken.pop();
    if (slot.tag && !insert_tag(frame, *slot.tag)) return Read::kDropped;
    taken.push(std::move(frame));
  }
  waiting_.splice(taken);
  return Read::kFrame;
}

std::size_t PacketDevice::receive(BufferPool& pool, PacketQueue& frames, std::size_t limit, Instant) {
  std::size_t count = 0;
  std::size_t octets = 0;
  bool is_empty = true;  // the ring
  while (count < limit && octets < kBatchOctets && socket_) {
    if (!waiting_.empty()) {
      Packet frame = waiting_.pop();
      octets += frame.size();
      frames.push(std::move(frame));
      ++count;
      continue;
    }
    const auto slot = ring_.front();
    if (!slot) break;
    is_empty = false;
    const Read read = take(pool, *slot);
    if (read == Read::kNoMemory) break;  // it waits in the ring until memory is free
    ring_.pop();
    if (read == Read::kDropped) ++statistics_.receive_drops;
  }
  statistics_.received += count;
  if (count == 0 && is_empty && socket_) notice_end();
  return count;
}

// Readable without a frame: the interface went down, or it is no more.
void PacketDevice::notice_end() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0) return;
  failure_ = end_of_interface(setup_.name, setup_.index);
  if (failure_) socket_.reset();
}

// ---------------------------------------------------------------- sending

// Sends from the front of `frames`. Returns how many have left it; 0 when the socket is full.
std::size_t PacketDevice::send_batch(PacketQueue& frames) {
  struct Message {
    VnetHeader offload{};
    FramePieces pieces;
  };
  std::array<Packet, kMaxBatch> batch;
  std::array<Message, kMaxBatch> messages;
  std::array<mmsghdr, kMaxBatch> headers{};
  std::size_t count = 0;
  std::size_t malformed = 0;
  while (count < kMaxBatch && !frames.empty()) {
    Packet frame = frames.pop();
    Message& message = messages[count];
    if (!make_vnet_header(frame, kEthernet, message.offload)) {
      ++malformed;
      continue;
    }
    message.pieces.add({&message.offload, sizeof message.offload});
    message.pieces.add(frame);
    headers[count].msg_hdr.msg_iov = message.pieces.all.data();
    headers[count].msg_hdr.msg_iovlen = message.pieces.count;
    batch[count++] = std::move(frame);
  }
  statistics_.transmit_drops += malformed;
  if (count == 0) return malformed;

  int sent = 0;
  do {
    sent = sendmmsg(socket_.get(), headers.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  auto done = static_cast<std::size_t>(std::max(sent, 0));
  statistics_.transmitted += done;
  // The error is the first frame's. ENOBUFS: the interface's queue has thrown it away. ENETDOWN: it is down.
  // EMSGSIZE, EINVAL: it is not one for this interface.
  if (sent < 0 && errno != EAGAIN) {
    if (errno == ENXIO || errno == ENODEV) notice_end();
    ++statistics_.transmit_drops;
    done = 1;
  }
  for (std::size_t i = count; i > done; --i) frames.push_front(std::move(batch[i - 1]));
  return done + malformed;
}

void PacketDevice::transmit(PacketQueue& frames, Instant) {
  while (!frames.empty() && socket_) {
    if (send_batch(frames) == 0) return;
  }
  if (socket_) return;
  statistics_.transmit_drops += frames.size();  // the device is gone
  frames.clear();
}

// ---------------------------------------------------------------- opening

std::unexpected<DeviceError> cannot(const std::string& interface, const std::string& what, int error) {
  const char* const advice = error == EPERM || error == EACCES
                                 ? "run as root, or in a user and network namespace (`unshare -rn`)"
                                 : "`transom doctor` tells what this machine allows";
  return std::unexpected(
      DeviceError{fmt::format("cannot {} {}: {}; {}", what, interface, std::strerror(error), advice), error});
}

// What the kernel lets through to us: frames to `mac` and to groups.
bool accept_only_ours(int socket, const MacAddress& mac) {
  const auto octets = mac.octets();
  const auto word = [&](std::size_t from, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = from; i < from + size; ++i) value = value << 8 | octets[i];
    return value;
  };
  std::array<sock_filter, 8> program{
      sock_filter BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 4, 0),  // the group bit
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word(0, 4), 0, 3),
      sock_filter BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word(4, 2), 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
      sock_filter BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

// The interface is to take frames to `mac` and to all groups.
bool join(int socket, unsigned index, const MacAddress& mac) {
  const auto add = [&](unsigned short type) {
    packet_mreq request{};
    request.mr_ifindex = static_cast<int>(index);
    request.mr_type = type;
    request.mr_alen = 6;
    std::memcpy(request.mr_address, mac.octets().data(), 6);
    return setsockopt(socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) == 0;
  };
  return (add(PACKET_MR_UNICAST) && add(PACKET_MR_ALLMULTI)) || add(PACKET_MR_PROMISC);
}

// As far as the kernel allows; a process that is not root in the network namespace has to be content with
// less.
void enlarge_buffers(int socket) {
  for (const auto& [force, plain] :
       {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (setsockopt(socket, SOL_SOCKET, force, &kSocketBuffer, sizeof kSocketBuffer) != 0)
      (void)setsockopt(socket, SOL_SOCKET, plain, &kSocketBuffer, sizeof kSocketBuffer);
  }
}

}  // namespace

std::expected<std::unique_ptr<Device>, DeviceError> open_packet_device(const PacketOptions& options) {
  const auto interface = find_ethernet_interface(options.interface);
  if (!interface) return std::unexpected(interface.error());
  FileDescriptor descriptor(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!descriptor) return cannot(options.interface, "open a packet socket for", errno);
  Setup setup{.name = options.interface,
              .index = interface->index,
              .mac = options.mac.value_or(derived_mac(interface->mac)),
              .offload = options.offload};

  const int on = 1;
  auto ring = PacketRing::make(descriptor.get());
  if (!ring) return cannot(options.interface, "make a packet ring for", ring.error());
  enlarge_buffers(descriptor.get());
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(setup.index);
  if (setsockopt(descriptor.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0 ||
      !accept_only_ours(descriptor.get(), setup.mac) || !join(descriptor.get(), setup.index, setup.mac) ||
      bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return cannot(options.interface, "receive packets of", errno);
  return std::make_unique<PacketDevice>(std::move(descriptor), std::move(*ring), std::move(setup));
}

}  // namespace transom::drivers
