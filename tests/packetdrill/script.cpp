#include "tests/packetdrill/script.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <iterator>
#include <map>

namespace packetdrill {

const Value* Value::field(std::string_view name) const {
  for (const auto& [field_name, value] : fields) {
    if (field_name == name) return &value;
  }
  return nullptr;
}

long Value::number_of(std::string_view name, long otherwise) const {
  const Value* const value = field(name);
  return value != nullptr ? value->number : otherwise;
}

namespace {

class Parser {
 public:
  Parser(std::string path, std::string text, const std::string& ip_version)
      : path_(std::move(path)),
        text_(std::move(text)),
        ip_version_(ip_version),
        ipv6_(ip_version == "ipv6") {}

  Script parse() {
    Script script;
    std::vector<Event>& events = script.events;
    std::int64_t before = 0;
    while (skip_blanks() && starts_with("--")) {
      const std::string option = text_.substr(at_, text_.find('\n', at_) - at_);
      constexpr std::string_view kVersion = "--ip_version=";
      if (!option.starts_with(kVersion)) fail("the only option of a script is --ip_version");
      script.ip_version = option.substr(kVersion.size());
      at_ += option.size();
    }
    if (!script.ip_version.empty() && script.ip_version != ip_version_) return script;
    while (skip_blanks()) {
      Event event{.line = line()};
      event.time = before;
      if (peek() != '`') parse_time(event, before);
      parse_what(event);
      before = event.time;
      events.push_back(std::move(event));
    }
    return script;
  }

 private:
  // --- characters
  [[noreturn]] void fail(std::string_view what) const {
    throw Failure(fmt::format("{}:{}: {}", path_, line(), what));
  }
  int line() const {
    return 1 + static_cast<int>(std::count(text_.begin(), text_.begin() + static_cast<long>(at_), '\n'));
  }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool starts_with(std::string_view what) const { return text_.compare(at_, what.size(), what) == 0; }
  // False at the end.
  bool skip_blanks() {
    while (at_ < text_.size()) {
      if (std::isspace(static_cast<unsigned char>(peek())) != 0) {
        ++at_;
      } else if (peek() == '#' || starts_with("//")) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (starts_with("/*")) {
        at_ = std::min(text_.find("*/", at_), text_.size() - 2) + 2;
      } else {
        return true;
      }
    }
    return false;
  }
  bool take(std::string_view what) {
    skip_blanks();
    if (!starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  void expect(std::string_view what) {
    if (!take(what)) fail(fmt::format("expected '{}' before '{}'", what, text_.substr(at_, 20)));
  }
  // Letters, digits and underscores.
  std::string word() {
    skip_blanks();
    const std::size_t begin = at_;
    while (std::isalnum(static_cast<unsigned char>(peek())) != 0 || peek() == '_') ++at_;
    if (at_ == begin) fail(fmt::format("expected a word before '{}'", text_.substr(at_, 20)));
    return text_.substr(begin, at_ - begin);
  }
  bool take_word(std::string_view what) {
    skip_blanks();
    const std::size_t before = at_;
    if (std::isalpha(static_cast<unsigned char>(peek())) != 0 && word() == what) return true;
    at_ = before;
    return false;
  }
  long number() {
    skip_blanks();
    const bool is_negative = take("-");
    const int base = starts_with("0x") ? 16 : 10;
    if (base == 16) at_ += 2;
    long value = 0;
    const auto [end, problem] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value, base);
    if (problem != std::errc{}) fail(fmt::format("expected a number before '{}'", text_.substr(at_, 20)));
    at_ = static_cast<std::size_t>(end - text_.data());
    return is_negative ? -value : value;
  }
  std::uint32_t number32() { return static_cast<std::uint32_t>(number()); }

  // --- times
  std::int64_t seconds() {
    std::int64_t micro = 0;
    skip_blanks();
    const std::size_t begin = at_;
    for (; std::isdigit(static_cast<unsigned char>(peek())) != 0; ++at_) micro = micro * 10 + (peek() - '0');
    micro *= 1'000'000;
    if (peek() == '.' && std::isdigit(static_cast<unsigned char>(peek(1))) != 0) {
      ++at_;
      for (std::int64_t unit = 100'000; std::isdigit(static_cast<unsigned char>(peek())) != 0;
           ++at_, unit /= 10)
        micro += unit * (peek() - '0');
    }
    if (at_ == begin) fail("expected a time");
    return micro;
  }
  void parse_time(Event& event, std::int64_t before) {
    const std::int64_t base = take("+") ? before : 0;
    event.time = base + seconds();
    if (starts_with("...")) {
      at_ += 3;
      event.end = base + seconds();
    }
  }

  // --- events
  void parse_what(Event& event) {
    skip_blanks();
    if (peek() == '`') {
      event.what = Command{quoted('`')};
    } else if (take("%{")) {
      event.what = parse_code();
    } else if (peek() == '<' || peek() == '>') {
      event.what = parse_packet();
    } else {
      event.what = parse_call();
    }
  }
  std::string quoted(char mark) {
    const std::size_t end = text_.find(mark, at_ + 1);
    if (end == std::string::npos) fail(fmt::format("no closing {}", mark));
    std::string inside = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return inside;
  }
  // assert NAME OP NUMBER [, whatever], one a line or with semicolons between.
  Assertions parse_code() {
    Assertions all;
    while (!take("}%")) {
      if (take(";")) continue;
      if (word() != "assert") fail("a code block may have assertions only");
      Assertion one;
      one.name = word();
      for (const char* comparison : {"==", "!=", "<=", ">=", "<", ">"}) {
        if (take(comparison)) {
          one.comparison = comparison;
          break;
        }
      }
      one.value = number_or_constant();
      if (take(",")) (void)word();
      all.push_back(one);
    }
    return all;
  }
  long number_or_constant() {
    skip_blanks();
    if (std::isdigit(static_cast<unsigned char>(peek())) != 0 || peek() == '-') return number();
    const std::string name = word();
    try {
      return constant(name);
    } catch (const std::out_of_range&) {
      fail(fmt::format("'{}' is not known", name));
    }
  }

  // --- calls
  Value value() {
    skip_blanks();
    Value result;
    if (take("...")) {
      result.kind = Value::Kind::kEllipsis;
    } else if (peek() == '"') {
      result.kind = Value::Kind::kText;
      result.text = quoted('"');
    } else if (take("[")) {
      result.kind = Value::Kind::kList;
      while (!take("]")) {
        result.items.push_back(value());
        take(",");
      }
    } else if (take("{")) {
      result.kind = Value::Kind::kRecord;
      while (!take("}")) {
        parse_member(result);
        take(",");
      }
    } else {
      result.number = number_or_constant();
      while (take("|")) result.number |= number_or_constant();
    }
    return result;
  }
  // NAME=VALUE, NAME(COUNT)=VALUE, or VALUE.
  void parse_member(Value& record) {
    skip_blanks();
    const std::size_t before = at_;
    if (std::isalpha(static_cast<unsigned char>(peek())) != 0) {
      std::string name = word();
      if (take("(")) {
        (void)value();
        expect(")");
      }
      if (take("=")) {
        record.fields.emplace_back(std::move(name), value());
        return;
      }
      at_ = before;
    }
    record.items.push_back(value());
  }
  Call parse_call() {
    Call call;
    call.name = word();
    expect("(");
    while (!take(")")) {
      call.arguments.push_back(value());
      take(",");
    }
    expect("=");
    if (take("?")) return call;
    call.result = number_or_constant();
    skip_comment();
    skip_spaces();
    if (*call.result == -1 && std::isalpha(static_cast<unsigned char>(peek())) != 0) {
      call.error = static_cast<int>(number_or_constant());
      skip_comment();
    }
    if (call.name == "socket" && !call.arguments.empty() && call.arguments[0].is(Value::Kind::kEllipsis))
      call.arguments[0] = Value{.number = ipv6_ ? AF_INET6 : AF_INET};
    return call;
  }
  void skip_spaces() {
    while (peek() == ' ') ++at_;
  }
  void skip_comment() {
    skip_spaces();
    if (peek() == '(') at_ = text_.find(')', at_) + 1;
  }

  // --- packets
  PacketSpec parse_packet() {
    PacketSpec packet;
    packet.is_inbound = peek() == '<';
    ++at_;
    for (skip_spaces(); peek() == '['; skip_spaces()) parse_bracket(packet);
    if (take_word("udp")) {
      packet.kind = PacketSpec::Kind::kUdp;
      expect("(");
      packet.length = number32();
      expect(")");
    } else if (take_word("icmp") || take_word("icmpv6")) {
      parse_icmp(packet);
    } else {
      parse_tcp(packet);
    }
    return packet;
  }
  // [ect0], [ce], [tos 0x2], [ttl 64], [1:1001(1000)], [udp (1000)]
  void parse_bracket(PacketSpec& packet) {
    expect("[");
    do {
      skip_blanks();
      if (std::isdigit(static_cast<unsigned char>(peek())) != 0) {
        packet.sequence = number32();
        parse_range(packet);
      } else {
        const std::string name = word();
        static const std::map<std::string, unsigned> kEcn = {
            {"noecn", 0}, {"ect1", 1}, {"ect0", 2}, {"ce", 3}};
        if (kEcn.contains(name)) {
          packet.ecn = kEcn.at(name);
        } else if (name == "tos") {
          packet.traffic_class = static_cast<unsigned>(number());
        } else if (name == "ttl") {
          packet.ttl = static_cast<unsigned>(number());
        } else if (name == "udp") {
          packet.quotes_udp = true;
          expect("(");
          packet.length = number32();
          expect(")");
        } else {
          fail(fmt::format("'{}' is not known here", name));
        }
      }
    } while (take(","));
    expect("]");
  }
  // The rest of FIRST:END(LENGTH)
  void parse_range(PacketSpec& packet) {
    expect(":");
    const std::uint32_t end = number32();
    expect("(");
    packet.length = number32();
    expect(")");
    if (packet.sequence + packet.length != end) fail("the length is not what the sequence numbers say");
  }
  void parse_icmp(PacketSpec& packet) {
    packet.kind = PacketSpec::Kind::kIcmp;
    struct Code {
      unsigned type, code;
    };
    static const std::map<std::string, Code> kV4 = {
        {"net_unreachable", {3, 0}},  {"host_unreachable", {3, 1}}, {"proto_unreachable", {3, 2}},
        {"port_unreachable", {3, 3}}, {"frag_needed", {3, 4}},      {"admin_prohibited", {3, 13}}};
    static const std::map<std::string, Code> kV6 = {{"no_route", {1, 0}},
                                                    {"admin_prohibited", {1, 1}},
                                                    {"address_unreachable", {1, 3}},
                                                    {"port_unreachable", {1, 4}},
                                                    {"packet_too_big", {2, 0}}};
    std::string name = word();
    if (name == "unreachable") name = word();
    const auto& known = ipv6_ ? kV6 : kV4;
    if (!known.contains(name)) fail(fmt::format("ICMP '{}' is not known", name));
    packet.icmp_type = known.at(name).type;
    packet.icmp_code = known.at(name).code;
    if (take_word("mtu")) packet.icmp_mtu = number32();
    skip_spaces();
    if (peek() == '[') parse_bracket(packet);
  }
  void parse_tcp(PacketSpec& packet) {
    skip_spaces();
    while (peek() != ' ' && peek() != '\0') packet.flags += text_[at_++];
    packet.sequence = number32();
    parse_range(packet);
    if (take_word("ack")) packet.acknowledgment = number32();
    if (take_word("win")) packet.window = number32();
    if (take_word("urg")) packet.urgent = number32();
    skip_spaces();
    if (peek() == '<') parse_options(packet);
  }
  void parse_options(PacketSpec& packet) {
    expect("<");
    if (take("...")) {
      packet.any_options = true;
      return expect(">");
    }
    do {
      TcpOption option;
      option.name = word();
      if (option.name == "mss" || option.name == "wscale") {
        option.numbers = {number32()};
      } else if (option.name == "TS") {
        if (!take_word("val")) fail("expected 'val'");
        option.numbers = {number32()};
        if (!take_word("ecr")) fail("expected 'ecr'");
        option.numbers.push_back(number32());
      } else if (option.name == "sack") {
        for (skip_spaces(); std::isdigit(static_cast<unsigned char>(peek())) != 0; skip_spaces()) {
          option.numbers.push_back(number32());
          expect(":");
          option.numbers.push_back(number32());
        }
      } else if (option.name == "FO") {
        skip_spaces();
        if (peek() != ',' && peek() != '>') option.hex = word();
      } else if (option.name != "nop" && option.name != "eol" && option.name != "sackOK") {
        fail(fmt::format("option '{}' is not known", option.name));
      }
      packet.options.push_back(std::move(option));
    } while (take(","));
    expect(">");
  }

  std::string path_;
  std::string text_;
  std::string ip_version_;
  bool ipv6_;
  std::size_t at_ = 0;
};

}  // namespace

Script parse_script(const std::string& path, const std::string& ip_version) {
  std::ifstream file(path);
  if (!file) throw Failure(path + ": cannot be read");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  return Parser(path, std::move(text), ip_version).parse();
}

}  // namespace packetdrill
