#include "tools/simple_services.h"

#include <algorithm>
#include <array>
#include <vector>

namespace transom::tools {

namespace {

// Sends from the front of `pending`. False when the connection is broken.
bool send_some(tcp::Connection& connection, Bytes& pending) {
  while (!pending.empty()) {
    const auto sent = connection.send({&pending, 1});
    if (!sent) return sent.error() == Error::kWouldBlock;
    pending = pending.subspan(*sent);
  }
  return true;
}

class Echo final : public Conversation {
 public:
  Turn proceed(tcp::Connection& connection, std::size_t& budget) override {
    Bytes rest = kept_;
    if (!send_some(connection, rest)) return Turn::kIsOver;
    std::array<std::uint8_t, 65536> buffer;  // NOLINT: filled before it is read
    Turn turn = Turn::kWaits;
    while (rest.empty()) {
      if (budget == 0) {
        turn = Turn::kHasMore;
        break;
      }
      const auto received = connection.receive(buffer);
      if (received && *received == 0)
        return Turn::kIsOver;  // the peer has finished, and everything is on its way back
      if (!received && received.error() != Error::kWouldBlock) return Turn::kIsOver;
      if (!received) break;
      spend(budget, *received);
      rest = Bytes(buffer).first(*received);
      if (!send_some(connection, rest)) return Turn::kIsOver;
    }
    // Reading waits for writing: what is not taken stays with the peer.
    kept_ = std::vector(rest.begin(), rest.end());
    return turn;
  }

 private:
  std::vector<std::uint8_t> kept_;  // received, but not sent yet
};

class Discard final : public Conversation {
 public:
  Turn proceed(tcp::Connection& connection, std::size_t& budget) override {
    std::array<std::uint8_t, 65536> buffer;  // NOLINT: only written
    while (budget > 0) {
      const auto received = connection.receive(buffer);
      if (!received) return received.error() == Error::kWouldBlock ? Turn::kWaits : Turn::kIsOver;
      if (*received == 0) return Turn::kIsOver;
      spend(budget, *received);
    }
    return Turn::kHasMore;
  }
};

// RFC 864: lines of 72 of the 95 printing characters, each line starting one further.
constexpr std::size_t kCharacters = 95;
constexpr std::size_t kLine = 74;

const std::vector<std::uint8_t>& chargen_text() {
  static const std::vector<std::uint8_t> text = [] {
    std::vector<std::uint8_t> lines;
    for (std::size_t line = 0; line < kCharacters; ++line) {
      for (std::size_t column = 0; column < kLine - 2; ++column) {
        lines.push_back(static_cast<std::uint8_t>(' ' + (line + column) % kCharacters));
      }
      lines.push_back('\r');
      lines.push_back('\n');
    }
    return lines;
  }();
  return text;
}

class Chargen final : public Conversation {
 public:
  Turn proceed(tcp::Connection& connection, std::size_t& budget) override {
    std::array<std::uint8_t, 4096> thrown_away;  // NOLINT: only written
    while (true) {
      const auto received = connection.receive(thrown_away);
      if (!received && received.error() != Error::kWouldBlock) return Turn::kIsOver;
      if (!received) break;
      if (*received == 0) return Turn::kIsOver;
    }
    while (budget > 0) {
      if (pending_.empty()) pending_ = chargen_text();
      Bytes part = pending_.first(std::min(pending_.size(), budget));
      spend(budget, part.size());
      pending_ = pending_.subspan(part.size());
      if (!send_some(connection, part)) return Turn::kIsOver;
      if (!part.empty()) {
        pending_ = Bytes(part.data(), part.size() + pending_.size());
        return Turn::kWaits;
      }
    }
    return Turn::kHasMore;
  }

 private:
  Bytes pending_;
};

// An answer to one of these could be answered in turn, for ever (CERT CA-1996-01).
bool may_loop(Port port) {
  constexpr std::array<std::uint16_t, 5> kAnswering = {7, 13, 17, 19, 37};
  return std::ranges::find(kAnswering, to_number(port)) != kAnswering.end();
}

void answer(udp::UdpSocket& socket, const udp::Datagram& datagram, Bytes payload) {
  if (may_loop(datagram.source.port) || datagram.destination.is_multicast()) return;
  // Best effort, like the service: what cannot be sent is lost.
  udp::SendTo back;
  back.to = datagram.source;
  back.source = datagram.destination;
  static_cast<void>(socket.send({&payload, 1}, back));
}

}  // namespace

std::unique_ptr<Conversation> make_echo() { return std::make_unique<Echo>(); }
std::unique_ptr<Conversation> make_discard() { return std::make_unique<Discard>(); }
std::unique_ptr<Conversation> make_chargen() { return std::make_unique<Chargen>(); }

void echo_datagrams(udp::UdpSocket& socket) {
  while (true) {
    auto datagram = socket.receive();
    if (!datagram) {
      if (datagram.error() == Error::kWouldBlock) return;
      continue;  // a pending error of an earlier answer
    }
    std::vector<std::uint8_t> payload(datagram->payload.size());
    if (datagram->payload.copy_out(0, payload)) answer(socket, *datagram, payload);
  }
}

void discard_datagrams(udp::UdpSocket& socket) {
  while (true) {
    const auto datagram = socket.receive();
    if (!datagram && datagram.error() == Error::kWouldBlock) return;
  }
}

void chargen_datagrams(udp::UdpSocket& socket) {
  std::size_t line = 0;
  while (true) {
    const auto datagram = socket.receive();
    if (!datagram) {
      if (datagram.error() == Error::kWouldBlock) return;
      continue;
    }
    // One line, no more than was sent: an answer larger than its question serves those who forge the source.
    const Bytes text = Bytes(chargen_text()).subspan(line++ % kCharacters * kLine, kLine);
    answer(socket, *datagram, text.first(std::min(text.size(), datagram->payload.size())));
  }
}

}  // namespace transom::tools
