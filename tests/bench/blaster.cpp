// The limit of a TAP device: one TCP connection, or a ping-pong, with everything that a stack would do left
// out. What this reaches nobody can pass who moves the same octets by the same calls, so every figure is a
// share of it.
//
//   blaster tx DEVICE SIZE COPY OFFLOAD    takes a connection and sends for ever, SIZE octets of text a frame
//   at most blaster rx DEVICE SIZE COPY OFFLOAD    takes a connection and receives (SIZE is not looked at)
//   blaster pong DEVICE block|poll|busy    returns UDP datagrams
//
// COPY and OFFLOAD are 0 or 1: whether the text is copied between the frame and an application's buffer, and
// whether the device segments and sums. It is 10.9.1.2, IPv4, knows no ARP (the other side has a permanent
// neighbour), and takes each new SYN for the only connection. Loss is answered by going back, after 200 ms; a
// TAP device loses nothing in practice.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kMss = 1460;
constexpr std::size_t kHeaders = 14 + 20 + 20;
constexpr std::size_t kMaxText = 65535 - 40;
constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16;
constexpr unsigned kWindowScale = 14;
constexpr std::uint16_t kWindowOfPlainFrames = 32;  // 512 KiB, by the scale

// What stands in front of each frame of a device with offload (virtio 1.2 §5.1.6), in the machine's byte
// order.
struct VnetHeader {
  static constexpr std::uint8_t kNeedsChecksum = 1;
  static constexpr std::uint8_t kTcpv4 = 1;

  std::uint8_t flags = 0;
  std::uint8_t segmentation = 0;
  std::uint16_t header_length = 0;
  std::uint16_t segment_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

template <typename Number>
Number load(const std::uint8_t* at) {  // network order
  Number value;
  std::memcpy(&value, at, sizeof value);
  return std::byteswap(value);
}

template <typename Number>
void store(std::uint8_t* at, Number value) {
  value = std::byteswap(value);
  std::memcpy(at, &value, sizeof value);
}

// The Internet checksum, unfolded, over octets as they lie in memory: 64 bits and a carry at a time.
std::uint64_t sum(const std::uint8_t* at, std::size_t size, std::uint64_t start = 0) {
  std::uint64_t total = start;
  for (; size >= 32; at += 32, size -= 32) {
    std::array<std::uint64_t, 4> words;
    std::memcpy(words.data(), at, sizeof words);
    for (const std::uint64_t word : words) {
      total += word;
      total += total < word;
    }
  }
  for (; size >= 2; at += 2, size -= 2) {
    std::uint16_t word;
    std::memcpy(&word, at, sizeof word);
    total += word;
    total += total < word;
  }
  if (size == 1) {
    total += *at;
    total += total < *at;
  }
  return total;
}

std::uint16_t fold(std::uint64_t total) {  // in network order, as the octets were
  while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint16_t>(total);
}

class Tap {
 public:
  Tap(const char* name, bool offload)
      : offload_(offload), descriptor_(open("/dev/net/tun", O_RDWR | O_CLOEXEC)) {
    if (descriptor_ < 0) fail("/dev/net/tun");
    ifreq request{};
    std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0));
    if (ioctl(descriptor_, TUNSETIFF, &request) != 0) fail("TUNSETIFF");
    if (offload && ioctl(descriptor_, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0)
      fail("TUNSETOFFLOAD");
  }

  bool offload() const { return offload_; }
  std::size_t front() const { return offload_ ? sizeof(VnetHeader) : 0; }  // octets in front of a frame

  void set_blocking(bool blocking) {
    if (fcntl(descriptor_, F_SETFL, blocking ? 0 : O_NONBLOCK) != 0) fail("fcntl");
  }
  bool wait(int milliseconds) {
    pollfd entry{descriptor_, POLLIN, 0};
    return poll(&entry, 1, milliseconds) > 0;
  }
  // 0: there is nothing.
  std::size_t receive(std::uint8_t* at, std::size_t size) {
    const ssize_t got = read(descriptor_, at, size);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  void send(const std::uint8_t* at, std::size_t size) {
    if (write(descriptor_, at, size) != static_cast<ssize_t>(size)) fail("write");
  }

 private:
  bool offload_;
  int descriptor_;
};

// The one connection, its header ready to be sent again and again.
class Connection {
 public:
  explicit Connection(Tap& tap) : tap_(tap), frame_(tap.front() + kHeaders + kMaxText + 64) {}

  std::uint8_t* text() { return frame_.data() + tap_.front() + kHeaders; }
  std::uint32_t next = 0, unacknowledged = 0, expected = 0;
  std::uint64_t window = 0;
  bool is_open = false;

  void answer_syn(const std::uint8_t* frame) {
    const std::uint8_t* const tcp = frame + 34;
    std::uint8_t* const mine = frame_.data() + tap_.front();
    std::memcpy(mine, frame + 6, 6);
    std::memcpy(mine + 6, frame, 6);
    store<std::uint16_t>(mine + 12, 0x0800);
    mine[14] = 0x45;
    mine[15] = 0;
    store<std::uint32_t>(mine + 18, 0x4000);  // identification 0, do not fragment
    mine[22] = 64;
    mine[23] = IPPROTO_TCP;
    std::memcpy(mine + 26, frame + 30, 4);
    std::memcpy(mine + 30, frame + 26, 4);
    std::memcpy(mine + 34, tcp + 2, 2);
    std::memcpy(mine + 36, tcp, 2);
    expected = load<std::uint32_t>(tcp + 4) + 1;
    next = unacknowledged = 1000;
    scale_ = 0;
    const std::size_t options_end = std::size_t{tcp[12]} / 16 * 4;
    for (std::size_t i = 20; i < options_end && tcp[i] != 0;) {
      if (tcp[i] == 1) {
        ++i;
        continue;
      }
      if (i + 1 >= options_end || tcp[i + 1] < 2) break;
      if (tcp[i] == 3 && tcp[i + 1] == 3) scale_ = tcp[i + 2];
      i += tcp[i + 1];
    }
    static constexpr std::array<std::uint8_t, 8> kOptions = {2, 4, kMss >> 8, kMss & 0xff,
                                                             1, 3, 3,         kWindowScale};
    std::memcpy(text(), kOptions.data(), kOptions.size());
    send(kSyn | kAck, kOptions.size(), kOptions.size());
    ++next;
    window = load<std::uint16_t>(tcp + 14);
    is_open = true;
  }

  // `options` of the octets behind the fixed header are options; the rest is text.
  void send(std::uint8_t flags, std::size_t octets, std::size_t options = 0) {
    std::uint8_t* const start = frame_.data();
    std::uint8_t* const mine = start + tap_.front();
    std::uint8_t* const tcp = mine + 34;
    store<std::uint16_t>(mine + 16, static_cast<std::uint16_t>(40 + octets));
    mine[24] = mine[25] = 0;
    const auto header_sum = static_cast<std::uint16_t>(~fold(sum(mine + 14, 20)));
    std::memcpy(mine + 24, &header_sum, 2);
    store<std::uint32_t>(tcp + 4, next);
    store<std::uint32_t>(tcp + 8, expected);
    tcp[12] = static_cast<std::uint8_t>((20 + options) / 4 << 4);
    tcp[13] = flags;
    // Without offload no more than the device's queue of 1000 frames holds, or it would drop what is sent in
    // a burst.
    const bool is_limited = !tap_.offload() && (flags & kSyn) == 0;
    store<std::uint16_t>(tcp + 14, is_limited ? kWindowOfPlainFrames : 0xffff);
    std::memset(tcp + 16, 0, 4);
    std::array<std::uint8_t, 4> rest = {0, IPPROTO_TCP, 0, 0};
    store<std::uint16_t>(rest.data() + 2, static_cast<std::uint16_t>(20 + octets));
    std::uint64_t total = sum(mine + 26, 8, sum(rest.data(), 4));
    if (tap_.offload()) {
      VnetHeader header{.flags = VnetHeader::kNeedsChecksum, .checksum_start = 34, .checksum_offset = 16};
      if (octets - options > kMss) {
        header.segmentation = VnetHeader::kTcpv4;
        header.segment_size = kMss;
        header.header_length = kHeaders;
      }
      std::memcpy(start, &header, sizeof header);
      const std::uint16_t partial = fold(total);
      std::memcpy(tcp + 16, &partial, 2);
    } else {
      total = sum(tcp, 20 + octets, total);
      const auto complete = static_cast<std::uint16_t>(~fold(total));
      std::memcpy(tcp + 16, &complete, 2);
    }
    tap_.send(start, tap_.front() + kHeaders + octets);
    next += static_cast<std::uint32_t>(octets - options);
  }

  void take_acknowledgment(const std::uint8_t* tcp) {
    const auto number = load<std::uint32_t>(tcp + 8);
    if (static_cast<std::int32_t>(number - unacknowledged) >= 0 &&
        static_cast<std::int32_t>(next - number) >= 0) {
      unacknowledged = number;
      window = std::uint64_t{load<std::uint16_t>(tcp + 14)} << scale_;
    }
  }
  std::size_t room() const {
    const std::uint64_t used = next - unacknowledged;
    return window > used ? static_cast<std::size_t>(window - used) : 0;
  }

 private:
  Tap& tap_;
  std::vector<std::uint8_t> frame_;
  unsigned scale_ = 0;
};

// A TCP segment for us within what was read; nullptr for anything else.
const std::uint8_t* segment_in(const Tap& tap, const std::uint8_t* buffer, std::size_t size) {
  const std::uint8_t* const frame = buffer + tap.front();
  if (size < tap.front() + kHeaders || load<std::uint16_t>(frame + 12) != 0x0800 || frame[14] != 0x45 ||
      frame[23] != IPPROTO_TCP)
    return nullptr;
  return frame;
}

struct Arrived {
  std::uint8_t flags = 0;
  std::uint32_t sequence = 0;
  const std::uint8_t* text = nullptr;
  std::size_t octets = 0;
};

Arrived look_at(const std::uint8_t* frame) {
  const std::uint8_t* const tcp = frame + 34;
  const std::size_t header = std::size_t{tcp[12]} / 16 * 4;
  const std::size_t length = load<std::uint16_t>(frame + 16);
  return {tcp[13], load<std::uint32_t>(tcp + 4), tcp + header, length - 20 - header};
}

void transmit(Tap& tap, std::size_t size, bool copy) {
  Connection connection(tap);
  std::vector<std::uint8_t> application(4 * kMaxText, 'x');
  std::vector<std::uint8_t> buffer(70000);
  std::size_t position = 0;
  auto progress = std::chrono::steady_clock::now();
  for (;;) {
    const std::size_t text = std::min(size, connection.is_open ? connection.room() : 0);
    const bool may_send = text == size || (text > 0 && connection.next == connection.unacknowledged);
    if (may_send) {
      if (copy) {
        std::memcpy(connection.text(), application.data() + position, text);
        position = (position + text) % (3 * kMaxText);
      }
      connection.send(kAck | kPsh, text);
    } else if (!tap.wait(200) && connection.is_open) {
      connection.next = connection.unacknowledged;  // go back
    }
    const std::uint32_t before = connection.unacknowledged;
    while (const std::size_t got = tap.receive(buffer.data(), buffer.size())) {
      const std::uint8_t* const frame = segment_in(tap, buffer.data(), got);
      if (frame == nullptr) continue;
      const Arrived arrived = look_at(frame);
      if ((arrived.flags & kSyn) != 0) {
        connection.answer_syn(frame);
      } else if ((arrived.flags & (kRst | kFin)) != 0) {
        connection.is_open = false;
      } else if (connection.is_open) {
        connection.take_acknowledgment(frame + 34);
      }
    }
    const auto now = std::chrono::steady_clock::now();
    if (connection.unacknowledged != before || !connection.is_open) progress = now;
    if (now - progress > std::chrono::milliseconds(200)) {
      connection.next = connection.unacknowledged;
      progress = now;
    }
  }
}

void receive(Tap& tap, bool copy) {
  Connection connection(tap);
  std::vector<std::uint8_t> application(4 * kMaxText);
  std::vector<std::uint8_t> buffer(70000);
  std::size_t position = 0;
  for (;;) {
    tap.wait(-1);
    bool owes_ack = false;
    while (const std::size_t got = tap.receive(buffer.data(), buffer.size())) {
      const std::uint8_t* const frame = segment_in(tap, buffer.data(), got);
      if (frame == nullptr) continue;
      const Arrived arrived = look_at(frame);
      if ((arrived.flags & kSyn) != 0) {
        connection.answer_syn(frame);
        continue;
      }
      if ((arrived.flags & kRst) != 0) connection.is_open = false;
      if (!connection.is_open || arrived.octets + (arrived.flags & kFin) == 0) continue;
      if (!tap.offload()) {  // what a stack would have to check
        std::array<std::uint8_t, 4> rest = {0, IPPROTO_TCP, 0, 0};
        store<std::uint16_t>(rest.data() + 2,
                             static_cast<std::uint16_t>(load<std::uint16_t>(frame + 16) - 20));
        const std::uint64_t pseudo = sum(frame + 26, 8, sum(rest.data(), 4));
        if (fold(sum(frame + 34, std::size_t{load<std::uint16_t>(frame + 16)} - 20, pseudo)) != 0xffff)
          continue;
      }
      if (arrived.sequence == connection.expected) {
        connection.expected += static_cast<std::uint32_t>(arrived.octets + (arrived.flags & kFin));
        if (copy) {
          std::memcpy(application.data() + position, arrived.text, arrived.octets);
          position = (position + arrived.octets) % (3 * kMaxText);
        }
        owes_ack = true;
        if (tap.offload()) break;
      } else {
        connection.send(kAck, 0);  // a duplicate ACK for each
      }
    }
    if (owes_ack) connection.send(kAck, 0);
  }
}

void pong(Tap& tap, std::string_view wait) {
  tap.set_blocking(wait == "block");
  std::array<std::uint8_t, 2048> buffer;
  for (;;) {
    if (wait == "poll") tap.wait(-1);
    const std::size_t got = tap.receive(buffer.data(), buffer.size());
    if (got < 42 || load<std::uint16_t>(buffer.data() + 12) != 0x0800 || buffer[23] != IPPROTO_UDP) continue;
    const auto swap = [&](std::size_t a, std::size_t b, std::size_t size) {
      std::swap_ranges(buffer.data() + a, buffer.data() + a + size, buffer.data() + b);
    };
    swap(0, 6, 6);
    swap(26, 30, 4);
    swap(34, 36, 2);  // the sums do not change
    tap.send(buffer.data(), got);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "pong" && argc == 4) {
    Tap tap(argv[2], false);
    std::puts("ready");
    std::fflush(stdout);
    pong(tap, argv[3]);
  }
  if ((mode == "tx" || mode == "rx") && argc == 6) {
    Tap tap(argv[2], std::string_view(argv[5]) == "1");
    tap.set_blocking(false);
    std::puts("ready");
    std::fflush(stdout);
    const auto size = static_cast<std::size_t>(std::atoi(argv[3]));
    const bool copy = std::string_view(argv[4]) == "1";
    if (size == 0 || size > kMaxText || (!tap.offload() && size > kMss)) {
      std::fprintf(stderr, "blaster: SIZE is 1 to %zu, without offload to %zu\n", kMaxText, kMss);
      return 2;
    }
    mode == "tx" ? transmit(tap, size, copy) : receive(tap, copy);
  }
  std::fprintf(stderr,
               "usage: blaster tx|rx DEVICE SIZE COPY OFFLOAD | blaster pong DEVICE block|poll|busy\n");
  return 2;
}
