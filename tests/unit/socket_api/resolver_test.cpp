// Names: the hosts file, the DNS over the sockets of a stack, with servers that mean well and others that do
// not; addresses sorted; connections by name.
#include "socket_api/names/resolver.h"

#include <gmock/gmock.h>
#include <netdb.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

#include "socket_api/c_stack.h"
#include "socket_api/cxx.h"
#include "socket_api/names/hosts_file.h"
#include "tests/unit/socket_api/datagram_socket_device.h"

namespace transom::sockets {
namespace {

using Octets = std::vector<std::uint8_t>;
using namespace std::chrono_literals;

constexpr std::uint16_t kA = 1, kCname = 5, kPtr = 12, kAaaa = 28;
constexpr Port kDnsPort{5300};

IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

Octets operator+(Octets a, const Octets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Octets number(std::uint32_t value, int octets) {
  Octets made;
  for (int i = octets - 1; i >= 0; --i) made.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  return made;
}
Octets name_octets(std::string_view name) {
  Octets made;
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    made.push_back(static_cast<std::uint8_t>(label.size()));
    made.insert(made.end(), label.begin(), label.end());
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  made.push_back(0);
  return made;
}

// A question as it came.
struct Question {
  Octets octets;
  std::string name;
  std::uint16_t type = 0;
  std::size_t end = 0;  // of the question section
  bool is_tcp = false;
  Endpoint source;

  std::uint16_t id() const { return static_cast<std::uint16_t>(octets[0] << 8 | octets[1]); }
};

Question read_question(Octets octets) {
  Question question;
  std::size_t at = 12;
  while (at < octets.size() && octets[at] != 0) {
    if (!question.name.empty()) question.name += '.';
    question.name.append(reinterpret_cast<const char*>(&octets[at + 1]), octets[at]);
    at += 1U + octets[at];
  }
  question.type = static_cast<std::uint16_t>(octets[at + 1] << 8 | octets[at + 2]);
  question.end = at + 5;
  question.octets = std::move(octets);
  return question;
}

struct Record {
  std::uint16_t type;
  Octets data;
  Octets owner = {0xc0, 12};  // the name that was asked for
};

struct ReplyFields {
  int id_offset = 0;
  std::uint8_t flags1 = 0x84, flags2 = 0;  // flags2: the response code
  int claimed_answers = -1;
  std::string other_name = {};
};

Octets reply(const Question& question, const std::vector<Record>& records, const ReplyFields& fields = {}) {
  const int count = fields.claimed_answers >= 0 ? fields.claimed_answers : static_cast<int>(records.size());
  Octets made = number(static_cast<std::uint32_t>(question.id() + fields.id_offset), 2) +
                Octets{fields.flags1, fields.flags2, 0, 1} + number(static_cast<std::uint32_t>(count), 2) +
                Octets{0, 0, 0, 0};
  if (fields.other_name.empty()) {
    made = made + Octets(question.octets.begin() + 12,
                         question.octets.begin() + static_cast<std::ptrdiff_t>(question.end));
  } else {
    made = made + name_octets(fields.other_name) + number(question.type, 2) + number(1, 2);
  }
  for (const Record& record : records) {
    made = made + record.owner + number(record.type, 2) + number(1, 2) + number(60, 4) +
           number(static_cast<std::uint32_t>(record.data.size()), 2) + record.data;
  }
  return made;
}

Octets data_of(std::string_view text) {
  const auto octets = address(text).octets();
  return address(text).is_v4() ? Octets(octets.begin() + 12, octets.end())
                               : Octets(octets.begin(), octets.end());
}
Record a(std::string_view text) { return {address(text).is_v4() ? kA : kAaaa, data_of(text)}; }

// A name server on the same stack, UDP and TCP. Each question is answered with any number of messages.
class NameServer {
 public:
  using Answer = std::function<std::vector<Octets>(const Question&)>;

  NameServer(Stack& stack, const Endpoint& at, Answer answer)
      : answer_(std::move(answer)),
        udp_(std::move(*UdpEndpoint::bind(stack, at))),
        tcp_(std::move(*TcpListener::listen(stack, at))),
        udp_thread_([this] { serve_udp(); }),
        tcp_thread_([this] { serve_tcp(); }) {}
  ~NameServer() {
    udp_.handle().close();
    tcp_.handle().close();
    udp_thread_.join();
    tcp_thread_.join();
  }
  std::vector<Question> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::vector<Octets> take(Question question) {
    const std::lock_guard lock(mutex_);
    asked_.push_back(question);
    return answer_(question);
  }
  void serve_udp() {
    Octets room(4096);
    while (const auto from = udp_.receive(room)) {
      Question question =
          read_question(Octets(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(from->size)));
      question.source = from->source;
      for (const Octets& message : take(question)) (void)udp_.send_to(message, from->source);
    }
  }
  void serve_tcp() {
    while (auto stream = tcp_.accept()) {
      Octets all, room(4096);
      while (all.size() < 2 || all.size() < 2U + static_cast<unsigned>(all[0] << 8 | all[1])) {
        const auto count = stream->read(room);
        if (!count || *count == 0) break;
        all.insert(all.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(*count));
      }
      if (all.size() < 14) continue;
      Question question = read_question(Octets(all.begin() + 2, all.end()));
      question.is_tcp = true;
      for (const Octets& message : take(question))
        (void)stream->write_all(number(static_cast<std::uint32_t>(message.size()), 2) + message);
      (void)stream->read(room);  // until the other end has closed
    }
  }

  std::mutex mutex_;
  std::vector<Question> asked_;
  Answer answer_;
  UdpEndpoint udp_;
  TcpListener tcp_;
  std::thread udp_thread_, tcp_thread_;
};

const auto kNothing = [](const Question&) { return std::vector<Octets>(); };

class Resolver : public testing::Test {
 protected:
  Resolver() { configure({}); }

  void configure(const std::function<void(ResolverConfig&)>& change) {
    ResolverConfig config;
    config.servers = {{address("127.0.0.1"), kDnsPort}};
    config.search_domains.emplace();
    config.timeout = 200ms;
    config.attempts = 2;
    config.hosts_file.clear();
    if (change) change(config);
    Session session(stack_);
    stack_.set_resolver(config);
  }
  NameServer serve(NameServer::Answer answer, const char* at = "127.0.0.1") {
    return NameServer(stack_, {address(at), kDnsPort}, std::move(answer));
  }
  // "10.1.1.1 2001:db8::1", or the error.
  std::string look_up(const std::string& name, int family = AF_UNSPEC) {
    const auto found = resolve(stack_, name, family);
    if (!found) return gai_strerror(found.error());
    std::string text;
    for (const SocketAddress& one : found->addresses)
      text += (text.empty() ? "" : " ") + to_string(one.endpoint.address);
    return text;
  }

  Stack stack_{{.seed = seed_from_number(1)}};
};

const std::string kNoName = gai_strerror(EAI_NONAME), kAgain = gai_strerror(EAI_AGAIN);

// ---------------------------------------------------------------- without anybody's help

TEST_F(Resolver, NumbersAreNotLookedUp) {
  const auto server = serve(kNothing);
  EXPECT_EQ(look_up("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(look_up("2001:db8::7"), "2001:db8::7");
  EXPECT_EQ(look_up("192.0.2.7", AF_INET6), gai_strerror(EAI_ADDRFAMILY));
  const auto zoned = parse_numeric(stack_, "fe80::1%lo");
  ASSERT_TRUE(zoned);
  EXPECT_EQ(zoned->scope, InterfaceId{1});
  EXPECT_FALSE(parse_numeric(stack_, "fe80::1%nowhere"));
  EXPECT_EQ(look_up("localhost", AF_INET), "127.0.0.1");
  EXPECT_EQ(look_up("a.localhost.", AF_INET6), "::1");
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("a\n"), std::string(300, 'a')})
    EXPECT_EQ(look_up(bad), kNoName);
}

TEST_F(Resolver, TheHostsFileComesFirst) {
  const std::string path = testing::TempDir() + "transom_hosts_" + std::to_string(getpid());
  std::ofstream(path)
      << "# names\n192.0.2.9  Printer.lan printer # upstairs\n\n2001:db8::9 printer\nnonsense here\n";
  configure([&](ResolverConfig& config) { config.hosts_file = path; });
  const auto server = serve(kNothing);
  EXPECT_EQ(look_up("PRINTER.", AF_INET), "192.0.2.9");
  EXPECT_EQ(look_up("printer", AF_INET6), "2001:db8::9");
  EXPECT_EQ(name_of(stack_, address("192.0.2.9")), "printer.lan");
  std::remove(path.c_str());
}

TEST(HostsFileTest, BadLinesArePassedOver) {
  const HostsFile file =
      HostsFile::parse("1.2.3.4\n1.2.3 a\n# 1.2.3.4 b\n1.2.3.4 c # d\n\t1.2.3.5\tc\n1.2.3.4 c");
  EXPECT_EQ(file.addresses_of("c"), (std::vector{address("1.2.3.4"), address("1.2.3.5")}));
  EXPECT_TRUE(file.addresses_of("d").empty());
  EXPECT_TRUE(file.addresses_of("a").empty());
}

TEST_F(Resolver, WithoutAServerThereIsNoAnswer) {
  configure([](ResolverConfig& config) { config.servers.clear(); });
  EXPECT_EQ(look_up("www.example"), kAgain);
}

// ---------------------------------------------------------------- servers that mean well

TEST_F(Resolver, FindsTheAddressesOfANameInBothFamilies) {  // R1035-01
  auto server = serve([](const Question& question) {
    return std::vector<Octets>{reply(question, {a(question.type == kA ? "127.0.0.9" : "::1")})};
  });
  EXPECT_EQ(look_up("www.example"), "::1 127.0.0.9");
  EXPECT_EQ(look_up("www.example", AF_INET), "127.0.0.9");
  for (const Question& question : server.asked()) {
    EXPECT_EQ(question.name, "www.example");
    EXPECT_EQ(question.octets[2] & 0x79, 1);  // a query, recursion desired
    EXPECT_EQ(Octets(question.octets.begin() + 4, question.octets.begin() + 10), (Octets{0, 1, 0, 0, 0, 0}));
    // EDNS: replies of at most 1232 octets. R6891-01
    EXPECT_EQ(question.octets[11], 1);
    ASSERT_GE(question.octets.size(), question.end + 11);
    EXPECT_EQ(Octets(question.octets.begin() + static_cast<std::ptrdiff_t>(question.end),
                     question.octets.begin() + static_cast<std::ptrdiff_t>(question.end) + 5),
              (Octets{0, 0, 41, 4, 208}));
  }
}

TEST_F(Resolver, QuestionsCannotBeGuessed) {  // R5452-01, R1035-01
  auto server =
      serve([](const Question& question) { return std::vector<Octets>{reply(question, {a("192.0.2.1")})}; });
  for (int i = 0; i < 16; ++i) EXPECT_EQ(look_up("www.example", AF_INET), "192.0.2.1");
  std::set<std::uint16_t> ids;
  std::set<Port> ports;
  for (const Question& question : server.asked()) {
    ids.insert(question.id());
    ports.insert(question.source.port);
  }
  EXPECT_GE(ids.size(), 15U);
  EXPECT_GE(ports.size(), 15U);
}

TEST_F(Resolver, SearchDomainsAreTried) {
  configure([](ResolverConfig& config) { config.search_domains = {"first.example", "second.example"}; });
  auto server = serve([](const Question& question) {
    const bool is_known = question.name == "www.second.example" || question.name == "a.b.example";
    if (!is_known) return std::vector<Octets>{reply(question, {}, {.flags2 = 3})};
    return std::vector<Octets>{reply(question, {a("192.0.2.1")})};
  });
  EXPECT_EQ(look_up("www", AF_INET), "192.0.2.1");
  EXPECT_EQ(look_up("a.b.example", AF_INET), "192.0.2.1");
  EXPECT_EQ(look_up("missing", AF_INET), kNoName);
  EXPECT_EQ(server.asked()[0].name, "www.first.example");
}

TEST_F(Resolver, AliasesAreFollowedAndTheTrueNameIsTold) {  // R1035-08
  auto server = serve([](const Question& question) {
    return std::vector<Octets>{reply(question, {{kCname, name_octets("real.example")},
                                                {kA, data_of("192.0.2.1"), name_octets("real.example")}})};
  });
  const auto found = resolve(stack_, "www.example", AF_INET);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->canonical_name, "real.example");
  EXPECT_EQ(found->addresses[0].endpoint.address, address("192.0.2.1"));
}

TEST_F(Resolver, WhatDoesNotFitIsFetchedByTcp) {  // R1035-03, R7766-01
  auto server = serve([](const Question& question) {
    if (!question.is_tcp) return std::vector<Octets>{reply(question, {}, {.flags1 = 0x86})};  // truncated
    std::vector<Record> many;
    for (int i = 1; i <= 100; ++i) many.push_back(a(fmt::format("192.0.2.{}", i)));
    return std::vector<Octets>{reply(question, many)};
  });
  const auto found = resolve(stack_, "www.example", AF_INET);
  ASSERT_TRUE(found) << gai_strerror(found.error());
  EXPECT_EQ(found->addresses.size(), 100U);
}

TEST_F(Resolver, AnotherServerIsAskedWhenOneIsSilent) {  // R1035-07
  configure([](ResolverConfig& config) {
    config.servers = {{address("127.0.0.1"), kDnsPort}, {address("127.0.0.2"), kDnsPort}};
  });
  auto silent = serve(kNothing);
  auto server =
      serve([](const Question& question) { return std::vector<Octets>{reply(question, {a("192.0.2.1")})}; },
            "127.0.0.2");
  EXPECT_EQ(look_up("www.example", AF_INET), "192.0.2.1");
  EXPECT_GE(silent.asked().size(), 1U);
}

TEST_F(Resolver, GivesUpInTheEnd) {  // R1035-07
  auto server = serve(kNothing);
  EXPECT_EQ(look_up("www.example", AF_INET), kAgain);
  EXPECT_EQ(server.asked().size(), 2U);  // as often as it was told
}

TEST_F(Resolver, ErrorsOfServersAreTold) {
  int code = 0;
  auto server = serve([&](const Question& question) {
    return std::vector<Octets>{reply(question, {}, {.flags2 = static_cast<std::uint8_t>(code)})};
  });
  code = 3;
  EXPECT_EQ(look_up("missing.example"), kNoName);
  code = 0;
  EXPECT_EQ(look_up("empty.example"), kNoName);
  code = 2;
  EXPECT_EQ(look_up("broken.example"), kAgain);
}

TEST_F(Resolver, FindsTheNameOfAnAddress) {
  auto server = serve([](const Question& question) {
    return std::vector<Octets>{reply(question, {{kPtr, name_octets("seven.example")}})};
  });
  EXPECT_EQ(name_of(stack_, address("192.0.2.7")), "seven.example");
  EXPECT_EQ(server.asked()[0].name, "7.2.0.192.in-addr.arpa");
  EXPECT_EQ(name_of(stack_, address("2001:db8::7")), "seven.example");
}

// ---------------------------------------------------------------- servers that do not

TEST_F(Resolver, RepliesToOtherQuestionsAreIgnored) {  // R1035-01
  auto server = serve([](const Question& question) {
    return std::vector<Octets>{reply(question, {a("192.0.2.66")}, {.id_offset = 1}),
                               reply(question, {a("192.0.2.66")}, {.id_offset = -1}),
                               reply(question, {a("192.0.2.66")}, {.other_name = "bank.example"}),
                               reply(question, {a("192.0.2.1")})};
  });
  EXPECT_EQ(look_up("www.example", AF_INET), "192.0.2.1");
}

TEST_F(Resolver, RepliesFromElsewhereAreIgnored) {  // R1035-01
  auto forger = UdpEndpoint::bind(stack_, {address("127.0.0.66"), kDnsPort});
  ASSERT_TRUE(forger);
  auto server = serve([&](const Question& question) {
    (void)forger->send_to(reply(question, {a("192.0.2.66")}), question.source);
    return std::vector<Octets>{reply(question, {a("192.0.2.1")})};
  });
  EXPECT_EQ(look_up("www.example", AF_INET), "192.0.2.1");
}

TEST_F(Resolver, DamagedRepliesGiveNoAddress) {  // R1035-02, R1035-04, R1035-05
  std::function<Octets(const Question&)> damage;
  auto server = serve([&](const Question& question) { return std::vector<Octets>{damage(question)}; });
  const auto expect_nothing = [&](const char* what, std::function<Octets(const Question&)> how) {
    damage = std::move(how);
    const std::string found = look_up("www.example", AF_INET);
    EXPECT_EQ(found.find("192.0.2"), std::string::npos) << what << ": " << found;
  };
  expect_nothing("a name that points at itself", [](const Question& question) {
    Octets made = reply(question, {a("192.0.2.1")});
    made[question.end + 1] = static_cast<std::uint8_t>(question.end);
    return made;
  });
  expect_nothing("two names that point at each other", [](const Question& question) {
    Octets made = reply(question, {{kCname, Octets{0xc0, static_cast<std::uint8_t>(question.end)}},
                                   {kA, data_of("192.0.2.1")}});
    made[question.end + 1] = static_cast<std::uint8_t>(question.end + 12);
    return made;
  });
  expect_nothing("a name that points behind the end", [](const Question& question) {
    return reply(question, {{kA, data_of("192.0.2.1"), Octets{0xff, 0xff}}});
  });
  expect_nothing("a label of 64", [](const Question& question) {
    return reply(question, {{kA, data_of("192.0.2.1"), Octets{64} + Octets(64, 'a') + Octets{0}}});
  });
  expect_nothing("an address of five octets",
                 [](const Question& question) { return reply(question, {{kA, {192, 0, 2, 1, 1}}}); });
  expect_nothing("an address of three octets",
                 [](const Question& question) { return reply(question, {{kA, {192, 0, 2}}}); });
  expect_nothing("data beyond the end", [](const Question& question) {
    Octets made = reply(question, {a("192.0.2.1")});
    made[made.size() - 5] = 200;
    return made;
  });
  expect_nothing("nothing but a header", [](const Question& question) {
    Octets made = reply(question, {});
    made.resize(12);
    return made;
  });
  for (const std::size_t size : {0U, 1U, 5U, 11U, 20U}) {
    expect_nothing("a cut", [size](const Question& question) {
      Octets made = reply(question, {a("192.0.2.1")});
      made.resize(size);
      return made;
    });
  }
}

TEST_F(Resolver, ACircleOfAliasesEnds) {  // R1035-08
  auto server = serve([](const Question& question) {
    std::vector<Record> circle;
    for (int i = 0; i < 30; ++i)
      circle.push_back({kCname, name_octets(fmt::format("c{}.example", (i + 1) % 30)),
                        i == 0 ? Octets{0xc0, 12} : name_octets(fmt::format("c{}.example", i))});
    return std::vector<Octets>{reply(question, circle)};
  });
  EXPECT_EQ(look_up("c0.example", AF_INET), kNoName);
}

TEST_F(Resolver, ServersThatAnswerWithNoiseAreEndured) {
  std::atomic<unsigned> seed = 1;
  auto server = serve([&](const Question& question) {
    Random random(seed_from_number(seed++));
    Octets made = reply(question, {a("192.0.2.1"), a("192.0.2.2")});
    for (int i = 0; i < 6; ++i)
      made[2 + random.below(made.size() - 2)] = static_cast<std::uint8_t>(random.next());
    return std::vector<Octets>{made};
  });
  configure([](ResolverConfig& config) {
    config.timeout = 20ms;
    config.attempts = 1;
  });
  for (int i = 0; i < 60; ++i) (void)look_up("www.example", AF_INET);
}

// ---------------------------------------------------------------- the C API

class AddressInfo : public Resolver {
 protected:
  // The list as text, of ours or of the system.
  static std::string text_of(const addrinfo* list) {
    std::string text;
    for (; list != nullptr; list = list->ai_next) {
      char host[64], port[16];
      EXPECT_EQ(getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof host, port, sizeof port,
                            NI_NUMERICHOST | NI_NUMERICSERV),
                0);
      text +=
          fmt::format("{} {} {} {} {}\n", list->ai_family, list->ai_socktype, list->ai_protocol, host, port);
    }
    return text;
  }
  std::string ours(const char* node, const char* service, const addrinfo* hints) {
    addrinfo* list = nullptr;
    const int error = transom_getaddrinfo(&c_stack_, node, service, hints, &list);
    std::string text = error != 0 ? gai_strerror(error) : text_of(list);
    transom_freeaddrinfo(list);
    return text;
  }
  // Without raw sockets, which we leave out.
  static std::string systems(const char* node, const char* service, const addrinfo* hints) {
    addrinfo* list = nullptr;
    const int error = getaddrinfo(node, service, hints, &list);
    if (error != 0) return gai_strerror(error);
    std::string text = text_of(list);
    freeaddrinfo(list);
    std::string kept;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.find(fmt::format(" {} 0 ", static_cast<int>(SOCK_RAW))) == std::string::npos)
        kept += line + "\n";
    }
    return kept;
  }

  transom_stack c_stack_{stack_};
};

TEST_F(AddressInfo, OfNumbersIsThatOfTheSystem) {
  const std::vector<std::pair<const char*, const char*>> names{
      {"192.0.2.7", "80"}, {"192.0.2.7", nullptr}, {"2001:db8::7", "80"}, {"2001:db8::7", "http"},
      {nullptr, "80"},     {nullptr, nullptr},     {"192.0.2.7", "x!"}};
  for (const auto& [node, service] : names) {
    for (const int family : {AF_UNSPEC, AF_INET, AF_INET6}) {
      for (const int type : {0, int{SOCK_STREAM}, int{SOCK_DGRAM}}) {
        for (const int flags :
             {0, AI_PASSIVE, AI_NUMERICHOST, AI_NUMERICHOST | AI_NUMERICSERV, AI_V4MAPPED}) {
          addrinfo hints{};
          hints.ai_family = family;
          hints.ai_socktype = type;
          hints.ai_flags = flags;
          SCOPED_TRACE(fmt::format("{} {} family {} type {} flags {:#x}", node != nullptr ? node : "-",
                                   service != nullptr ? service : "-", family, type, flags));
          EXPECT_EQ(ours(node, service, &hints), systems(node, service, &hints));
        }
      }
    }
  }
}

TEST_F(AddressInfo, RefusesWhatItDoesNotKnow) {
  addrinfo hints{};
  hints.ai_flags = 1 << 20;
  EXPECT_EQ(ours("192.0.2.7", "80", &hints), gai_strerror(EAI_BADFLAGS));
  hints.ai_flags = 0;
  hints.ai_family = AF_UNIX;
  EXPECT_EQ(ours("192.0.2.7", "80", &hints), gai_strerror(EAI_FAMILY));
  hints.ai_family = 0;
  EXPECT_EQ(ours("192.0.2.7", "70000", &hints), gai_strerror(EAI_SERVICE));  // glibc takes it for port 4464
  hints.ai_socktype = SOCK_SEQPACKET;
  EXPECT_EQ(ours("192.0.2.7", "80", &hints), gai_strerror(EAI_SOCKTYPE));
}

TEST_F(AddressInfo, MapsIpv4AddressesWhereThereAreNoOthers) {
  auto server = serve([](const Question& question) {
    const bool has = question.type == kA || question.name == "both.example";
    return std::vector<Octets>{
        reply(question, has ? std::vector{a(question.type == kA ? "192.0.2.1" : "2001:db8::1")}
                            : std::vector<Record>())};
  });
  addrinfo hints{};
  hints.ai_family = AF_INET6;
  hints.ai_socktype = SOCK_STREAM;
  EXPECT_EQ(ours("only4.example", "80", &hints), kNoName);
  hints.ai_flags = AI_V4MAPPED;
  EXPECT_EQ(ours("only4.example", "80", &hints), "10 1 6 ::ffff:192.0.2.1 80\n");
  EXPECT_EQ(ours("both.example", "80", &hints), "10 1 6 2001:db8::1 80\n");
  hints.ai_flags = AI_V4MAPPED | AI_ALL;
  EXPECT_THAT(ours("both.example", "80", &hints), testing::HasSubstr("::ffff:192.0.2.1"));
}

TEST_F(AddressInfo, CanonicalNamesAndServers) {
  configure([](ResolverConfig& config) { config.servers.clear(); });
  const char* const servers[] = {"127.0.0.1:5300", nullptr};
  const char* const search[] = {"example", nullptr};
  transom_resolver resolver{};
  resolver.servers = servers;
  resolver.search = search;
  resolver.hosts_file = "";
  ASSERT_EQ(transom_set_resolver(&c_stack_, &resolver), 0);
  auto server =
      serve([](const Question& question) { return std::vector<Octets>{reply(question, {a("192.0.2.1")})}; });
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_flags = AI_CANONNAME;
  addrinfo* list = nullptr;
  ASSERT_EQ(transom_getaddrinfo(&c_stack_, "www", "80", &hints, &list), 0);
  EXPECT_STREQ(list->ai_canonname, "www.example");
  transom_freeaddrinfo(list);
  const char* const bad[] = {"nobody", nullptr};
  resolver.servers = bad;
  EXPECT_EQ(transom_set_resolver(&c_stack_, &resolver), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(AddressInfo, NamesOfAddresses) {
  auto server = serve([](const Question& question) {
    if (question.name.starts_with("8.")) return std::vector<Octets>{reply(question, {}, {.flags2 = 3})};
    return std::vector<Octets>{reply(question, {{kPtr, name_octets("seven.example")}})};
  });
  sockaddr_in seven{};
  seven.sin_family = AF_INET;
  seven.sin_port = htons(80);
  seven.sin_addr.s_addr = htonl(0xc0000207);
  const auto name_info = [&](int flags, socklen_t room = 64) {
    char host[64] = "", service[32] = "";
    const int error = transom_getnameinfo(&c_stack_, reinterpret_cast<const sockaddr*>(&seven), sizeof seven,
                                          host, room, service, sizeof service, flags);
    return error != 0 ? std::string(gai_strerror(error)) : std::string(host) + " " + service;
  };
  EXPECT_EQ(name_info(NI_NUMERICSERV), "seven.example 80");
  EXPECT_EQ(name_info(NI_NUMERICHOST | NI_NUMERICSERV), "192.0.2.7 80");
  EXPECT_EQ(name_info(NI_NUMERICHOST, 4), gai_strerror(EAI_OVERFLOW));
  seven.sin_addr.s_addr = htonl(0xc0000208);
  EXPECT_EQ(name_info(NI_NUMERICSERV), "192.0.2.8 80");
  EXPECT_EQ(name_info(NI_NAMEREQD), kNoName);
}

// ---------------------------------------------------------------- connecting by name

TEST_F(Resolver, AddressesOfBothFamiliesAlternate) {  // RFC 8305 §4
  const auto at = [](const char* text) { return SocketAddress{{address(text), Port{80}}}; };
  const auto mixed = interleave({at("2001:db8::1"), at("2001:db8::2"), at("2001:db8::3"), at("192.0.2.1")});
  std::string text;
  for (const SocketAddress& one : mixed) text += to_string(one.endpoint.address) + " ";
  EXPECT_EQ(text, "2001:db8::1 192.0.2.1 2001:db8::2 2001:db8::3 ");
}

TEST_F(Resolver, ConnectsToTheFirstAddressThatAnswers) {
  auto server = serve([](const Question& question) {
    return std::vector<Octets>{reply(question, {a(question.type == kA ? "127.0.0.9" : "::1")})};
  });
  auto listener = TcpListener::listen(stack_, {address("127.0.0.9"), Port{80}});
  ASSERT_TRUE(listener);
  auto stream = TcpStream::connect(stack_, "www.example", Port{80});  // ::1 refuses
  ASSERT_TRUE(stream) << stream.error().error << ' ' << stream.error().lookup_error;
  EXPECT_EQ(stream->handle().remote()->address, address("127.0.0.9"));
  EXPECT_TRUE(listener->accept());
}

TEST_F(Resolver, DoesNotWaitForAnAddressThatIsSilent) {
  auto [near, far] = DatagramSocketDevice::make_pair();
  const InterfaceId device =
      stack_.add_device(std::move(near), {.conflict_detection = link::ConflictDetection::quick()});
  ASSERT_TRUE(stack_.add_address(device, *IpPrefix::parse("10.0.0.1/24")));
  ASSERT_TRUE(stack_.wait_for_addresses(20s));
  auto server = serve([](const Question& question) {
    return std::vector<Octets>{reply(
        question, question.type == kA ? std::vector{a("10.0.0.9"), a("10.0.0.1")} : std::vector<Record>())};
  });
  auto listener = TcpListener::listen(stack_, {address("10.0.0.1"), Port{80}});
  ASSERT_TRUE(listener);
  auto stream = TcpStream::connect(stack_, "www.example", Port{80});
  ASSERT_TRUE(stream);
  EXPECT_EQ(stream->handle().remote()->address, address("10.0.0.1"));
}

TEST_F(AddressInfo, FailureToConnectIsTold) {
  auto server = serve([](const Question& question) {
    if (question.name == "missing.example") return std::vector<Octets>{reply(question, {}, {.flags2 = 3})};
    return std::vector<Octets>{reply(question, {a(question.type == kA ? "127.0.0.9" : "::1")})};
  });
  int lookup_error = -1;
  EXPECT_EQ(transom_connect_by_name(&c_stack_, "www.example", 80, -1, &lookup_error), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  EXPECT_EQ(lookup_error, 0);
  EXPECT_EQ(transom_connect_by_name(&c_stack_, "missing.example", 80, -1, &lookup_error), -1);
  EXPECT_EQ(lookup_error, EAI_NONAME);
  auto listener = TcpListener::listen(stack_, {address("127.0.0.9"), Port{80}});
  const int fd = transom_connect_by_name(&c_stack_, "www.example", 80, 5000, &lookup_error);
  EXPECT_GE(fd, 0);
  EXPECT_EQ(transom_close(&c_stack_, fd), 0);
}

}  // namespace
}  // namespace transom::sockets
