#include "tools/socket_filter.h"

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "tools/failure.h"

namespace transom::tools {

namespace {

struct StateName {
  std::string_view word;
  std::string_view state;
};

// As ss(8) spells them, and as it prints them.
constexpr std::array kStates = {StateName{"established", "ESTAB"},     StateName{"syn-sent", "SYN-SENT"},
                                StateName{"syn-recv", "SYN-RECV"},     StateName{"fin-wait-1", "FIN-WAIT-1"},
                                StateName{"fin-wait-2", "FIN-WAIT-2"}, StateName{"time-wait", "TIME-WAIT"},
                                StateName{"closed", "UNCONN"},         StateName{"close-wait", "CLOSE-WAIT"},
                                StateName{"last-ack", "LAST-ACK"},     StateName{"listening", "LISTEN"},
                                StateName{"listen", "LISTEN"},         StateName{"closing", "CLOSING"},
                                StateName{"unconnected", "UNCONN"}};

std::vector<std::string> states_but(std::initializer_list<std::string_view> left_out) {
  std::vector<std::string> states;
  for (const StateName& entry : kStates) {
    if (std::ranges::find(left_out, entry.state) == left_out.end()) states.emplace_back(entry.state);
  }
  return states;
}

std::vector<std::string> states_named(std::string_view word) {
  const auto known = std::ranges::find(kStates, word, &StateName::word);
  if (known != kStates.end()) return {std::string(known->state)};
  if (word == "all") return states_but({});
  if (word == "connected") return states_but({"LISTEN", "UNCONN"});
  if (word == "synchronized") return states_but({"LISTEN", "UNCONN", "SYN-SENT"});
  if (word == "bucket") return {"SYN-RECV", "TIME-WAIT"};
  if (word == "big") return states_but({"SYN-RECV", "TIME-WAIT"});
  fail(Exit::kUsage, "'{}' is no state; there are established, syn-sent, listening, connected, ... (ss(8))",
       word);
}

enum class Comparison { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

std::optional<Comparison> comparison(std::string_view word) {
  struct Name {
    std::string_view word;
    Comparison comparison;
  };
  constexpr std::array kNames = {
      Name{"=", Comparison::kEqual},           Name{"==", Comparison::kEqual},
      Name{"eq", Comparison::kEqual},          Name{"!=", Comparison::kNotEqual},
      Name{"<>", Comparison::kNotEqual},       Name{"ne", Comparison::kNotEqual},
      Name{"neq", Comparison::kNotEqual},      Name{"<", Comparison::kLess},
      Name{"lt", Comparison::kLess},           Name{"<=", Comparison::kLessOrEqual},
      Name{"le", Comparison::kLessOrEqual},    Name{"leq", Comparison::kLessOrEqual},
      Name{">", Comparison::kGreater},         Name{"gt", Comparison::kGreater},
      Name{">=", Comparison::kGreaterOrEqual}, Name{"ge", Comparison::kGreaterOrEqual},
      Name{"geq", Comparison::kGreaterOrEqual}};
  const auto found = std::ranges::find(kNames, word, &Name::word);
  return found == kNames.end() ? std::nullopt : std::optional(found->comparison);
}

bool holds(Comparison comparison, int left, int right) {
  switch (comparison) {
    case Comparison::kEqual:
      return left == right;
    case Comparison::kNotEqual:
      return left != right;
    case Comparison::kLess:
      return left < right;
    case Comparison::kLessOrEqual:
      return left <= right;
    case Comparison::kGreater:
      return left > right;
    case Comparison::kGreaterOrEqual:
      return left >= right;
  }
  return false;
}

std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (!text.empty() && problem == std::errc{} && end == text.data() + text.size()) return port;
  for (const char* const protocol : {"tcp", "udp"}) {
    if (const servent* const service = getservbyname(std::string(text).c_str(), protocol))
      return ntohs(static_cast<std::uint16_t>(service->s_port));
  }
  fail(Exit::kUsage, "'{}' is no port: a number, or a name of /etc/services", text);
}

struct HostFilter {
  std::optional<IpPrefix> prefix;
  std::optional<std::uint16_t> port;

  bool takes(const Endpoint& endpoint) const {
    return (!prefix || prefix->contains(endpoint.address)) && (!port || to_number(endpoint.port) == *port);
  }
};

// "10.0.0.0/8", "10.0.0.1:80", "[fd09::]/16:80", "fd09::1", ":80", "*:80".
HostFilter parse_host(std::string_view text) {
  HostFilter filter;
  std::string_view host = text;
  const std::size_t bracket = text.find(']');
  const std::size_t colon = text.rfind(':');
  const bool is_bare_v6 = bracket == std::string_view::npos && std::ranges::count(text, ':') > 1;
  if (!is_bare_v6 && colon != std::string_view::npos &&
      (bracket == std::string_view::npos || colon > bracket)) {
    if (const std::string_view port = text.substr(colon + 1); port != "*") filter.port = parse_port(port);
    host = text.substr(0, colon);
  }
  if (host.empty() || host == "*") return filter;
  std::string plain(host);
  std::erase_if(plain, [](char letter) { return letter == '[' || letter == ']'; });
  filter.prefix = IpPrefix::parse(plain);
  if (!filter.prefix)
    fail(Exit::kUsage, "'{}' is no address; write 10.9.0.0/24, 10.9.0.1:80, [fd09::1]:80 or :80", text);
  return filter;
}

// Words, and the signs that may stand next to them without a blank: ( ) ! & | and comparisons.
std::vector<std::string> split(const std::vector<std::string>& words) {
  constexpr std::string_view kSigns = "()!&|=<>";
  std::vector<std::string> parts;
  for (const std::string& word : words) {
    std::string part;
    const auto finish = [&] {
      if (!part.empty()) parts.push_back(std::exchange(part, {}));
    };
    for (std::size_t i = 0; i < word.size(); ++i) {
      const char letter = word[i];
      if (letter == ' ' || letter == '\t') {
        finish();
      } else if (kSigns.find(letter) == std::string_view::npos) {
        part += letter;
      } else {
        finish();
        part = letter;
        const bool is_comparison = letter == '!' || letter == '=' || letter == '<' || letter == '>';
        const char next = i + 1 < word.size() ? word[i + 1] : '\0';
        const bool doubles = is_comparison ? next == '=' || (letter == '<' && next == '>')
                                           : (letter == '&' || letter == '|') && next == letter;
        if (doubles) part += word[++i];
        finish();
      }
    }
    finish();
  }
  return parts;
}

class FilterParser {
 public:
  explicit FilterParser(std::vector<std::string> words) : words_(std::move(words)) {}

  SocketFilter parse() {
    std::vector<std::string> states;
    std::vector<std::string> excluded;
    while (peek() == "state" || peek() == "exclude") {
      auto& list = next() == "state" ? states : excluded;
      for (std::string& state : states_named(next())) list.push_back(std::move(state));
    }
    if (is_done()) return {std::move(states), std::move(excluded), {}};
    Test expression = either();
    if (!is_done()) fail(Exit::kUsage, "'{}' is not expected there in the filter", peek());
    return {std::move(states), std::move(excluded), std::move(expression)};
  }

 private:
  using Test = SocketFilter::Test;

  bool is_done() const { return at_ == words_.size(); }
  std::string_view peek() const { return is_done() ? std::string_view() : words_[at_]; }
  std::string next() {
    if (is_done()) fail(Exit::kUsage, "the filter ends too early; see transom ss --help");
    return words_[at_++];
  }
  bool skip(std::initializer_list<std::string_view> words) {
    if (is_done() || std::ranges::find(words, peek()) == words.end()) return false;
    ++at_;
    return true;
  }

  Test either() {
    Test left = both();
    while (skip({"or", "|", "||"})) {
      left = [left, right = both()](const FilteredSocket& socket) { return left(socket) || right(socket); };
    }
    return left;
  }

  Test both() {
    Test left = one();
    while (!is_done() && peek() != ")" && peek() != "or" && peek() != "|" && peek() != "||") {
      skip({"and", "&", "&&"});
      left = [left, right = one()](const FilteredSocket& socket) { return left(socket) && right(socket); };
    }
    return left;
  }

  Test one() {
    if (++depth_ > kMaxDepth) fail(Exit::kUsage, "the filter is nested too deeply");
    Test test = unnested();
    --depth_;
    return test;
  }

  Test unnested() {
    if (skip({"not", "!"})) return [inner = one()](const FilteredSocket& socket) { return !inner(socket); };
    if (skip({"("})) {
      Test inner = either();
      if (!skip({")"})) fail(Exit::kUsage, "the filter lacks a ')'");
      return inner;
    }
    const std::string word = next();
    if (word == "src" || word == "dst") {
      const bool is_different = comparison(peek()) == Comparison::kNotEqual;
      if (comparison(peek())) ++at_;
      return
          [is_local = word == "src", is_different, host = parse_host(next())](const FilteredSocket& socket) {
            return host.takes(is_local ? socket.local : socket.peer) != is_different;
          };
    }
    if (word == "sport" || word == "dport") return port_test(word == "sport");
    if (word == "dev") {
      const bool is_different = comparison(peek()) == Comparison::kNotEqual;
      if (comparison(peek())) ++at_;
      return [is_different, name = next()](const FilteredSocket& socket) {
        return (socket.interface == name) != is_different;
      };
    }
    fail(Exit::kUsage, "'{}' begins no filter; there are src, dst, sport, dport, dev, state (ss(8))", word);
  }

  Test port_test(bool is_local) {
    const auto how = comparison(peek());
    if (how) ++at_;
    std::string text = next();
    text.erase(0, text.find_last_of(':') + 1);  // ":80", "*:80"
    return [is_local, how = how.value_or(Comparison::kEqual),
            port = parse_port(text)](const FilteredSocket& socket) {
      return holds(how, to_number((is_local ? socket.local : socket.peer).port), port);
    };
  }

  static constexpr int kMaxDepth = 100;
  std::vector<std::string> words_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

SocketFilter SocketFilter::parse(const std::vector<std::string>& words) {
  return FilterParser(split(words)).parse();
}

bool SocketFilter::takes(const FilteredSocket& socket) const {
  const auto has = [&socket](const std::vector<std::string>& states) {
    return std::ranges::find(states, socket.state) != states.end();
  };
  if (!states_.empty() && !has(states_)) return false;
  if (has(excluded_)) return false;
  return !expression_ || expression_(socket);
}

}  // namespace transom::tools
