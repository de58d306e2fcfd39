#include "tests/packetdrill/calls.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/errqueue.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace packetdrill {

namespace {

using Kind = Value::Kind;

[[noreturn]] void complain(const std::string& what) { throw Failure(what); }

void expect_equal(long got, long wanted, std::string_view what) {
  if (got != wanted) complain(fmt::format("{} is {}, expected {}", what, got, wanted));
}

}  // namespace

// ---------------------------------------------------------------- addresses and descriptors

Calls::Address Calls::address(const Octets& ip, std::uint16_t port) const {
  Address result;
  if (!network_.is_v6 && !mapped_) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, ip.data(), 4);
    std::memcpy(&result.octets, &v4, sizeof v4);
    result.size = sizeof v4;
    return result;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (network_.is_v6) {
    std::memcpy(&v6.sin6_addr, ip.data(), 16);
  } else {
    v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
    std::memcpy(&v6.sin6_addr.s6_addr[12], ip.data(), 4);
  }
  std::memcpy(&result.octets, &v6, sizeof v6);
  result.size = sizeof v6;
  return result;
}

Calls::Address Calls::remote() const { return address(network_.remote, kPort); }

// accept() must say who has connected; the port is the flow's own.
void Calls::check_peer(const Address& peer) const {
  Address wanted = remote();
  if (peer.size != wanted.size) complain(fmt::format("the peer's address has {} octets", peer.size));
  const auto port_of = [](Address& of) { return &reinterpret_cast<sockaddr_in*>(&of.octets)->sin_port; };
  Address got = peer;
  *port_of(wanted) = *port_of(got);  // sin6_port is at the same place
  if (std::memcmp(&got.octets, &wanted.octets, wanted.size) != 0)
    complain("accept() gives another peer's address");
}

int Calls::live(long fd) const {
  const std::lock_guard lock(mutex_);
  const auto found = descriptors_.find(fd);
  return found != descriptors_.end() ? found->second : -1;
}

std::map<long, int> Calls::open() const {
  const std::lock_guard lock(mutex_);
  return descriptors_;
}

void Calls::open_descriptor(long script, int live) {
  const std::lock_guard lock(mutex_);
  if (!descriptors_.try_emplace(script, live).second)
    complain(fmt::format("descriptor {} is open already", script));
}

void Calls::close_descriptor(long script) {
  const std::lock_guard lock(mutex_);
  descriptors_.erase(script);
}

// ---------------------------------------------------------------- messages

// The msghdr of a record like {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0}.
struct Calls::Message {
  msghdr header{};
  Address name;
  std::vector<Octets> buffers;
  std::vector<iovec> pieces;
  Octets control = Octets(512);

  void add_pieces(const Value& list) {
    for (const Value& piece : list.items)
      buffers.emplace_back(static_cast<std::size_t>(piece.items.at(1).number));
    for (Octets& buffer : buffers) pieces.push_back({buffer.data(), buffer.size()});
    header.msg_iov = pieces.data();
    header.msg_iovlen = pieces.size();
  }
};

namespace {

void check_error(const sock_extended_err& got, const Value& wanted) {
  expect_equal(got.ee_errno, wanted.number_of("ee_errno"), "ee_errno");
  expect_equal(got.ee_origin, wanted.number_of("ee_origin"), "ee_origin");
  expect_equal(got.ee_type, wanted.number_of("ee_type"), "ee_type");
  expect_equal(got.ee_code, wanted.number_of("ee_code"), "ee_code");
  expect_equal(got.ee_info, wanted.number_of("ee_info"), "ee_info");
  expect_equal(got.ee_data, wanted.number_of("ee_data"), "ee_data");
}

void check_control(const msghdr& header, const Value& wanted) {
  const cmsghdr* message = CMSG_FIRSTHDR(&header);
  for (const Value& one : wanted.items) {
    if (message == nullptr) complain("a control message is missing");
    expect_equal(message->cmsg_level, one.number_of("cmsg_level"), "cmsg_level");
    expect_equal(message->cmsg_type, one.number_of("cmsg_type"), "cmsg_type");
    const Value* const data = one.field("cmsg_data");
    if (data == nullptr) complain("cmsg_data is missing in the script");
    if (data->is(Kind::kRecord)) {
      sock_extended_err error{};
      std::memcpy(&error, CMSG_DATA(message), sizeof error);
      check_error(error, *data);
    } else if (message->cmsg_len == CMSG_LEN(1)) {
      expect_equal(*CMSG_DATA(message), data->number, "cmsg_data");
    } else {
      int number = 0;
      std::memcpy(&number, CMSG_DATA(message), sizeof number);
      expect_equal(number, data->number, "cmsg_data");
    }
    message = CMSG_NXTHDR(const_cast<msghdr*>(&header), const_cast<cmsghdr*>(message));
  }
  if (message != nullptr) complain("there is a control message more");
}

}  // namespace

long Calls::make_message_call(const Call& call, const std::function<long(long)>& done) {
  const int fd = live(call.arguments.at(0).number);
  const Value& record = call.arguments.at(1);
  const int flags = static_cast<int>(call.arguments.at(2).number);
  Message message;
  if (const Value* const pieces = record.field("msg_iov")) message.add_pieces(*pieces);
  const bool sends = call.name == "sendmsg";
  if (record.field("msg_name") != nullptr) {
    message.name = remote();
    message.header.msg_name = &message.name.octets;
    message.header.msg_namelen = message.name.size;
  }
  const Value* const control = record.field("msg_control");
  if (sends) {
    if (control != nullptr) {
      std::size_t used = 0;
      for (const Value& one : control->items) {
        const int data = static_cast<int>(one.number_of("cmsg_data"));
        auto* const header = reinterpret_cast<cmsghdr*>(message.control.data() + used);
        header->cmsg_len = CMSG_LEN(sizeof data);
        header->cmsg_level = static_cast<int>(one.number_of("cmsg_level"));
        header->cmsg_type = static_cast<int>(one.number_of("cmsg_type"));
        std::memcpy(CMSG_DATA(header), &data, sizeof data);
        used += CMSG_SPACE(sizeof data);
      }
      message.header.msg_control = message.control.data();
      message.header.msg_controllen = used;
    }
    return done(table_.sendmsg(table_.userdata, fd, &message.header, flags));
  }
  message.header.msg_control = message.control.data();
  message.header.msg_controllen = message.control.size();
  const long result = done(table_.recvmsg(table_.userdata, fd, &message.header, flags));
  if (result < 0) return result;
  if (const Value* const wanted = record.field("msg_flags"))
    expect_equal(message.header.msg_flags, wanted->number, "msg_flags");
  if (control != nullptr) check_control(message.header, *control);
  return result;
}

// ---------------------------------------------------------------- options

long Calls::make_option_call(const Call& call, const std::function<long(long)>& done) {
  const int fd = live(call.arguments.at(0).number);
  const int level = static_cast<int>(call.arguments.at(1).number);
  const int name = static_cast<int>(call.arguments.at(2).number);
  const Value& value = call.arguments.at(3);
  const Value& size = call.arguments.at(4);
  Octets octets(512);
  const auto put = [&](std::size_t at, long number) {
    const int narrow = static_cast<int>(number);
    std::memcpy(octets.data() + at, &narrow, sizeof narrow);
  };
  if (value.is(Kind::kText)) {
    std::copy(value.text.begin(), value.text.end(), octets.begin());
  } else if (value.is(Kind::kRecord) && value.field("tv_sec") != nullptr) {
    const timeval time{.tv_sec = value.number_of("tv_sec"), .tv_usec = value.number_of("tv_usec")};
    std::memcpy(octets.data(), &time, sizeof time);
  } else if (value.is(Kind::kRecord)) {  // {onoff=1, linger=2}
    for (std::size_t i = 0; i < value.fields.size(); ++i) put(4 * i, value.fields[i].second.number);
  } else if (value.is(Kind::kList)) {
    for (std::size_t i = 0; i < value.items.size(); ++i) put(4 * i, value.items[i].number);
  }
  if (call.name == "setsockopt")
    return done(table_.setsockopt(table_.userdata, fd, level, name, octets.data(),
                                  static_cast<socklen_t>(size.number)));
  const Octets wanted = octets;
  const long wanted_size = size.is(Kind::kList) ? size.items.at(0).number : size.number;
  auto length = static_cast<socklen_t>(wanted_size);
  const long result = done(table_.getsockopt(table_.userdata, fd, level, name, octets.data(), &length));
  if (result != 0) return result;
  expect_equal(length, wanted_size, "the length of the option");
  if (value.is(Kind::kText)) {
    if (value.text != reinterpret_cast<const char*>(octets.data()))
      complain(fmt::format("the option is \"{}\"", reinterpret_cast<const char*>(octets.data())));
  } else if (!value.is(Kind::kEllipsis)) {
    int got = 0;
    int expected = 0;
    std::memcpy(&got, octets.data(), sizeof got);
    std::memcpy(&expected, wanted.data(), sizeof expected);
    expect_equal(got, expected, "the option");
  }
  return result;
}

// ---------------------------------------------------------------- poll, epoll

long Calls::make_poll(const Call& call, const std::function<long(long)>& done) {
  std::vector<pollfd> entries;
  const Value& list = call.arguments.at(0);
  for (const Value& one : list.items)
    entries.push_back({.fd = live(one.number_of("fd")),
                       .events = static_cast<short>(one.number_of("events")),
                       .revents = 0});
  const long result =
      done(table_.poll(table_.userdata, entries.data(), static_cast<nfds_t>(call.arguments.at(1).number),
                       static_cast<int>(call.arguments.at(2).number)));
  for (std::size_t i = 0; i < entries.size(); ++i)
    expect_equal(entries[i].revents, list.items[i].number_of("revents"), "revents");
  return result;
}

long Calls::make_epoll_wait(const Call& call, const std::function<long(long)>& done) {
  const Value& wanted = call.arguments.at(1);
  const auto room = static_cast<std::size_t>(call.arguments.at(2).number);
  std::vector<epoll_event> events(std::max<std::size_t>(room, 1));
  const long result =
      done(table_.epoll_wait(table_.userdata, live(call.arguments.at(0).number), events.data(),
                             static_cast<int>(room), static_cast<int>(call.arguments.at(3).number)));
  if (result == 1 && wanted.is(Kind::kRecord)) {
    expect_equal(events[0].events, wanted.number_of("events"), "events");
    expect_equal(events[0].data.fd, live(wanted.number_of("fd")), "the descriptor of the event");
  }
  return result;
}

// ---------------------------------------------------------------- all

void Calls::run(const Call& call, const std::function<void()>& returned) {
  int error = 0;
  const long result = make(call, [&] {
    error = errno;
    returned();
  });
  const bool makes_descriptor = call.name == "socket" || call.name == "accept" || call.name == "epoll_create";
  if (makes_descriptor && result >= 0 && call.result.value_or(-1) >= 0)
    return;  // the number is the stack's choice
  if (call.result && result != *call.result) {
    complain(fmt::format("{}() returned {}{}, expected {}", call.name, result,
                         result < 0 ? fmt::format(" ({})", strerror(error)) : "", *call.result));
  }
  if (result == -1 && call.error != 0 && error != call.error)
    complain(fmt::format("{}() failed with '{}', expected '{}'", call.name, strerror(error),
                         strerror(call.error)));
}

long Calls::make(const Call& call, const std::function<void()>& returned) {
  const std::string& name = call.name;
  const auto argument = [&](std::size_t index) -> const Value& {
    if (index >= call.arguments.size()) complain(name + "() has too few arguments");
    return call.arguments[index];
  };
  const auto number = [&](std::size_t index) { return static_cast<int>(argument(index).number); };
  const auto size = [&](std::size_t index) { return static_cast<std::size_t>(argument(index).number); };
  const auto fd = [&](std::size_t index) { return live(argument(index).number); };
  const std::function<long(long)> done = [&](long result) {
    returned();
    return result;
  };
  void* const user = table_.userdata;

  if (name == "socket") {
    const int domain = mapped_ ? AF_INET6 : number(0);
    const long result = done(table_.socket(user, domain, number(1), number(2)));
    if (result >= 0) {
      open_descriptor(call.result.value_or(-1), static_cast<int>(result));
      is_datagram_[static_cast<int>(result)] = (number(1) & 0xf) == SOCK_DGRAM;
    }
    return result;
  }
  if (name == "bind" || name == "connect") {
    const bool binds = name == "bind";
    const Address to = binds ? address(network_.local, kPort) : remote();
    if (is_datagram_[fd(0)] && binds) udp_port_ = kPort;
    return done((binds ? table_.bind : table_.connect)(
        user, fd(0), reinterpret_cast<const sockaddr*>(&to.octets), to.size));
  }
  if (name == "listen") return done(table_.listen(user, fd(0), number(1)));
  if (name == "accept") {
    Address peer;
    peer.size = sizeof peer.octets;
    const long result =
        done(table_.accept(user, fd(0), reinterpret_cast<sockaddr*>(&peer.octets), &peer.size));
    if (result >= 0) {
      open_descriptor(call.result.value_or(-1), static_cast<int>(result));
      check_peer(peer);
    }
    return result;
  }
  if (name == "close") {
    const int live_fd = fd(0);
    close_descriptor(argument(0).number);
    return done(table_.close(user, live_fd));
  }
  if (name == "shutdown") return done(table_.shutdown(user, fd(0), number(1)));
  if (name == "setsockopt" || name == "getsockopt") return make_option_call(call, done);
  if (name == "sendmsg" || name == "recvmsg") return make_message_call(call, done);
  if (name == "poll") return make_poll(call, done);
  if (name == "epoll_wait") return make_epoll_wait(call, done);
  if (name == "epoll_create") {
    const long result = done(table_.epoll_create(user, number(0)));
    if (result >= 0) open_descriptor(call.result.value_or(-1), static_cast<int>(result));
    return result;
  }
  if (name == "epoll_ctl") {
    epoll_event event{};
    event.events = static_cast<std::uint32_t>(argument(3).number_of("events"));
    event.data.fd = live(argument(3).number_of("fd"));
    return done(table_.epoll_ctl(user, fd(0), number(1), fd(2), &event));
  }
  if (name == "fcntl")
    return done(call.arguments.size() > 2 ? table_.fcntl(user, fd(0), number(1), number(2))
                                          : table_.fcntl(user, fd(0), number(1)));
  if (name == "ioctl") {
    int answer = 0;
    const long result = done(table_.ioctl(user, fd(0), static_cast<unsigned long>(number(1)), &answer));
    if (result == 0) expect_equal(answer, argument(2).items.at(0).number, "what ioctl() says");
    return result;
  }
  if (name == "pipe") {
    int ends[2] = {-1, -1};
    const long result = done(table_.pipe(user, ends));
    if (result == 0) {
      open_descriptor(argument(0).items.at(0).number, ends[0]);
      open_descriptor(argument(0).items.at(1).number, ends[1]);
    }
    return result;
  }
  if (name == "splice") {
    loff_t from = argument(1).number;
    loff_t to = argument(3).number;
    return done(table_.splice(user, fd(0), &from, fd(2), &to, size(4), static_cast<unsigned>(number(5))));
  }
  if (name == "readv" || name == "writev") {
    Message message;
    message.add_pieces(argument(1));
    const auto* const pieces = message.pieces.data();
    const int count = static_cast<int>(message.pieces.size());
    return done(name == "readv" ? table_.readv(user, fd(0), pieces, count)
                                : table_.writev(user, fd(0), pieces, count));
  }
  Octets buffer(argument(2).is(Kind::kNumber) ? size(2) : 0);
  if (name == "read") return done(table_.read(user, fd(0), buffer.data(), buffer.size()));
  if (name == "write") return done(table_.write(user, fd(0), buffer.data(), buffer.size()));
  if (name == "recv") return done(table_.recv(user, fd(0), buffer.data(), buffer.size(), number(3)));
  if (name == "send") return done(table_.send(user, fd(0), buffer.data(), buffer.size(), number(3)));
  if (name == "sendto") {
    const Address to = remote();
    return done(table_.sendto(user, fd(0), buffer.data(), buffer.size(), number(3),
                              reinterpret_cast<const sockaddr*>(&to.octets), to.size));
  }
  if (name == "recvfrom") {
    Address from;
    from.size = sizeof from.octets;
    return done(table_.recvfrom(user, fd(0), buffer.data(), buffer.size(), number(3),
                                reinterpret_cast<sockaddr*>(&from.octets), &from.size));
  }
  complain(fmt::format("{}() is not known", name));
}

}  // namespace packetdrill
