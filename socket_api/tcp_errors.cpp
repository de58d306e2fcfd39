// What a TcpSocket tells besides the octets: errors that ICMP reports (IP_RECVERR), times of what was sent
// (SO_TIMESTAMPING), and control messages of what was received.
#include <linux/net_tstamp.h>
#include <netinet/tcp.h>

#include "socket_api/tcp_socket.h"
#include "stack/wire/cursor.h"

namespace transom::sockets {

namespace {
constexpr std::size_t kMaxWrites = 4096;  // whose times are asked for, at once
constexpr unsigned kOfWrites =
    SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK;
}  // namespace

void TcpSocket::set_connection(tcp::Connection* connection) {
  if (connection_ != nullptr) {
    connection_->set_listener(nullptr);
    connection_->set_error_listener(nullptr);
    connection_->set_progress_listener(nullptr);
  }
  connection_ = connection;
  if (reports_) reports_->writes.clear();
  if (connection_ == nullptr) return;
  ++connection_number_;
  connection_->set_listener(this);
  connection_->set_error_listener(this);
}

TcpSocket::Reports& TcpSocket::reports() {
  if (!reports_) reports_ = std::make_unique<Reports>();
  return *reports_;
}

// As Linux: the pending error of a connection is told at once, and kept with what it was about.
void TcpSocket::on_icmp_error(const ip::IcmpError& error) {
  if (!settings_.ip.of(error.destination.family()).receive_errors) return;
  constexpr std::size_t kHeader = 20;
  wire::Reader reader(error.transport);
  reader.skip(2);
  const auto port = static_cast<Port>(reader.u16());
  reports().queue.push(error, port, kHeader, clock_->now());
}

// ---------------------------------------------------------------- SO_TIMESTAMPING

// As Linux: keys are offsets in the stream, from here on.
Outcome<void> TcpSocket::start_timestamp_keys() {
  if (connection_ == nullptr) return fail(EINVAL);
  reports().first_key = connection_->queued_offset();
  return {};
}

void TcpSocket::note_write(std::size_t octets) {
  if (octets == 0 || connection_ == nullptr || (settings_.timestamping & kOfWrites) == 0) return;
  Reports& all = reports();
  if (all.writes.size() >= kMaxWrites) return;
  all.writes.push_back({.end = connection_->queued_offset()});
  connection_->set_progress_listener(this);
  on_progress();
}

void TcpSocket::note_copied(Session& session, const Outgoing& message) {
  if (!settings_.zero_copy || (message.flags & MSG_ZEROCOPY) == 0) return;
  reports().queue.push_copied(reports().copies++, session.now());
  on_readiness();
}

void TcpSocket::on_progress() {
  if (!reports_ || reports_->writes.empty()) return;
  const auto key_of = [this](const Reports::Write& write) {
    const bool has_key = (settings_.timestamping & SOF_TIMESTAMPING_OPT_ID) != 0;
    return has_key ? static_cast<std::uint32_t>(write.end - reports_->first_key - 1) : 0U;
  };
  const auto report = [&](unsigned flag, std::uint32_t type, const Reports::Write& write) {
    if ((settings_.timestamping & flag) == 0) return;
    reports_->queue.push_timestamp(type, key_of(write), clock_->now());
  };
  bool has_news = false;
  for (Reports::Write& write : reports_->writes) {
    if (write.is_sent || connection_->sent_offset() < write.end) continue;
    write.is_sent = has_news = true;
    report(SOF_TIMESTAMPING_TX_SCHED, SCM_TSTAMP_SCHED, write);
    report(SOF_TIMESTAMPING_TX_SOFTWARE, SCM_TSTAMP_SND, write);
  }
  while (!reports_->writes.empty() && reports_->writes.front().end <= connection_->acknowledged_offset()) {
    report(SOF_TIMESTAMPING_TX_ACK, SCM_TSTAMP_ACK, reports_->writes.front());
    reports_->writes.pop_front();
    has_news = true;
  }
  if (reports_->writes.empty()) connection_->set_progress_listener(nullptr);
  if (has_news) on_readiness();
}

// ---------------------------------------------------------------- recvmsg

Outcome<std::size_t> TcpSocket::receive_report(Session& session, Incoming& message) {
  if (!reports_) return fail(EAGAIN);
  return reports_->queue.receive(session, kind(), settings_, message);
}

void TcpSocket::write_stream_control(Session& session, Incoming& message) const {
  if (connection_ == nullptr) return;
  constexpr unsigned kReceived = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
  write_timestamps(session, settings_, connection_->last_data_received(),
                   (settings_.timestamping & kReceived) == kReceived, message);
  if (tells_queued_) {
    const auto left = static_cast<int>(connection_->readable_octets());
    const bool is_end = left == 0 && connection_->readiness().read_hang_up;
    put_control(message, IPPROTO_TCP, TCP_CM_INQ, is_end ? 1 : left);
  }
}

}  // namespace transom::sockets
