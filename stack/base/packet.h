// Packet buffers: pooled, reference-counted, with head room, in two sizes.
//
//   Buffer   a block of memory from a BufferPool. Never handled directly.
//   Slice    a counted reference to some octets of a Buffer. Send and receive queues are made of slices.
//   Packet   what travels through the layers: one Buffer whose octets [begin, end) hold the headers (and the
//            payload, if it was received or is short), followed by up to kMaxTail slices of further payload.
//
//            head buffer                                      tail slices (other buffers, referenced)
//   |<- head room ->|<- eth | ip | tcp [| payload] ->|     [ payload ... ] [ payload ... ]
//                 begin                             end
//
// Layers prepend() on the way down and trim_front() on the way up; nothing is moved. TCP keeps its send queue
// as slices and puts references to the same octets into each packet, first transmission or not, so a payload
// is copied once between application and device. A Packet is a move-only handle of one pointer; its metadata
// lives in the head buffer. A pool and everything from it belong to one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "stack/base/bytes.h"

namespace transom {

class BufferPool;
class Packet;
class Slice;

enum class BufferSize : std::uint8_t {
  kFrame,       // 2 KiB in all: an Ethernet frame of 1500 octets with head room
  kSuperFrame,  // 64 KiB and head room: a segmentation-offload super-frame
};

// What the sender of a packet leaves to the device, or the device has already done (virtio_net_hdr's model).
enum class ChecksumState : std::uint8_t {
  kUnknown,   // received: must be verified. Sent: is complete
  kVerified,  // received: the device vouches for it (or it never left this machine)
  kPartial,   // the field holds the folded pseudo-header sum; whoever is last completes it
};

struct PacketInfo {
  ChecksumState checksum = ChecksumState::kUnknown;
  bool link_broadcast = false;  // arrived in a link-level broadcast frame
  bool link_multicast = false;  // arrived in a link-level multicast frame
  bool repeats_cwr = false;     // a super-segment's CWR flag is part of a number: in each segment (RFC 9768)
  std::uint16_t checksum_field = 0;  // kPartial: octets from the transport header to its checksum field
  std::uint16_t segment_size = 0;    // payload octets per segment of a TCP super-segment; 0: not one
};

namespace detail {
struct Buffer;
}

class Slice {
 public:
  Slice() = default;
  Slice(const Slice& other);
  Slice(Slice&& other) noexcept
      : buffer_(std::exchange(other.buffer_, nullptr)),
        begin_(other.begin_),
        size_(std::exchange(other.size_, 0)) {}
  Slice& operator=(Slice other) noexcept {
    std::swap(buffer_, other.buffer_);
    begin_ = other.begin_;
    size_ = other.size_;
    return *this;
  }
  ~Slice();

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Bytes bytes() const;
  // Part of the same octets; offset + length is at most size().
  Slice subslice(std::size_t offset, std::size_t length) const;
  void trim_front(std::size_t octets);
  void trim_back(std::size_t octets);

  // Octets of pool memory that this reference keeps alive.
  std::size_t memory() const;

  // Octets right behind this slice that no slice of the same buffer has used yet.
  std::size_t room() const;
  // Copies `octets` behind the slice, at most room(). Returns the number taken.
  std::size_t append(Bytes octets);
  // The octets of room() as memory for a device to write into; claim() then makes the first of them part of
  // the slice.
  MutableBytes writable();
  void claim(std::size_t octets);  // at most room()

 private:
  friend class Packet;
  friend class BufferPool;
  Slice(detail::Buffer* buffer, std::uint32_t begin, std::uint32_t size)
      : buffer_(buffer), begin_(begin), size_(size) {}

  detail::Buffer* buffer_ = nullptr;
  std::uint32_t begin_ = 0;
  std::uint32_t size_ = 0;
};

class Packet {
 public:
  static constexpr std::size_t kMaxTail = 4;
  // Enough for Ethernet with a tag, IPv6 or IPv4 with options, and TCP with options.
  static constexpr std::size_t kHeadRoom = 144;

  Packet() = default;
  Packet(Packet&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  Packet& operator=(Packet&& other) noexcept {
    Packet taken(std::move(other));  // `other` is empty from here, and what this held is released now
    std::swap(buffer_, taken.buffer_);
    return *this;
  }
  ~Packet() {
    if (buffer_ != nullptr) reset();
  }

  explicit operator bool() const { return buffer_ != nullptr; }
  void reset();

  PacketInfo& info();
  const PacketInfo& info() const;

  // The contiguous part. Headers are always whole in here.
  Bytes head() const;
  MutableBytes head();
  std::span<const Slice> tail() const;
  std::size_t size() const;  // head and tail together

  std::size_t head_room() const;
  std::size_t tail_room() const;             // behind the head, in the same buffer; 0 when there is a tail
  MutableBytes prepend(std::size_t octets);  // requires head_room() >= octets
  MutableBytes append(std::size_t octets);   // requires tail_room() >= octets
  bool append_slice(Slice slice);            // false when all kMaxTail places are taken

  // Drop octets at either end, across slices. At most size(). trim_front stays within the head.
  void trim_front(std::size_t octets);
  void trim_back(std::size_t octets);

  // Copies [offset, offset + out.size()) of the packet, head and tail, into `out`. False when out of range.
  bool copy_out(std::size_t offset, MutableBytes out) const;

  // Gathers everything into the head (of a larger buffer if need be). False when it cannot fit or the pool is
  // exhausted; the packet is then unchanged.
  bool linearize();

  // A deep copy, metadata included. Empty when the pool is exhausted.
  Packet clone() const;

  // Hands the remaining octets out as slices, in order, and empties the packet. Returns how many were
  // written.
  std::size_t into_slices(std::span<Slice, kMaxTail + 1> out);

  std::size_t memory() const;  // octets of pool memory that it keeps alive
  BufferPool& pool() const;    // where it came from

 private:
  friend class BufferPool;
  friend class PacketQueue;
  explicit Packet(detail::Buffer* buffer) : buffer_(buffer) {}

  detail::Buffer* buffer_ = nullptr;
};

// A FIFO of packets, linked through their buffers: no allocation, O(1).
class PacketQueue {
 public:
  PacketQueue() = default;
  PacketQueue(PacketQueue&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)),
        last_(std::exchange(other.last_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  PacketQueue& operator=(PacketQueue&& other) noexcept {
    PacketQueue taken(std::move(other));
    std::swap(first_, taken.first_);
    std::swap(last_, taken.last_);
    std::swap(size_, taken.size_);
    return *this;
  }
  ~PacketQueue() { clear(); }

  void push(Packet packet);
  void push_front(Packet packet);
  Packet pop();                     // empty Packet when the queue is empty
  void splice(PacketQueue& other);  // moves everything of `other` behind this
  void clear();

  bool empty() const { return first_ == nullptr; }
  std::size_t size() const { return size_; }

 private:
  detail::Buffer* first_ = nullptr;
  detail::Buffer* last_ = nullptr;
  std::size_t size_ = 0;
};

// Owns the memory. Grows in slabs up to its limits, keeps what it has, and gives it back when destroyed; it
// must outlive every packet and slice.
class BufferPool {
 public:
  struct Limits {
    std::size_t frames = 1 << 18;        // 512 MiB
    std::size_t super_frames = 1 << 13;  // 512 MiB
  };

  BufferPool();
  explicit BufferPool(Limits limits);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // An empty packet with `head_room` octets in front. Empty handle when the limit is reached.
  Packet allocate(BufferSize size = BufferSize::kFrame, std::size_t head_room = Packet::kHeadRoom);
  // A packet holding a copy of `octets`, in the size that fits. Empty when too long or exhausted.
  Packet copy_of(Bytes octets, std::size_t head_room = Packet::kHeadRoom);
  // An empty slice with room for a whole buffer, for a send queue. slice.room() == 0 when exhausted.
  Slice allocate_slice(BufferSize size);

  std::size_t in_use(BufferSize size) const;
  std::uint64_t exhausted() const { return exhausted_; }
  // More than three quarters of either size are in use: whoever can do with less takes no more.
  bool is_scarce() const;

  // Octets that a packet of this size can hold behind `head_room`.
  static std::size_t capacity(BufferSize size);

 private:
  friend class Slice;
  friend class Packet;
  friend class PacketQueue;
  struct Store;
  detail::Buffer* take(BufferSize size);
  static void release(detail::Buffer* buffer);

  std::array<std::unique_ptr<Store>, 2> stores_;
  std::uint64_t exhausted_ = 0;
};

}  // namespace transom

#include "stack/base/packet_inside.h"  // IWYU pragma: export
