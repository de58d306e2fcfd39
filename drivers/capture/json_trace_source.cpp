// A trace of JSON lines (docs/trace.md) as a capture: the headers of each packet, and as its comments what
// was decided because of it.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "drivers/capture/capture_source.h"

namespace transom::drivers {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxLine = 65536;       // octets
constexpr std::size_t kMaxInterfaces = 4096;  // of all hosts
constexpr std::size_t kMaxComments = 64;      // of a packet

std::optional<std::vector<std::uint8_t>> from_hex(const std::string& text) {
  const auto digit = [](char letter) {
    return letter >= '0' && letter <= '9'   ? letter - '0'
           : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
                                            : -1;
  };
  if (text.size() % 2 != 0) return std::nullopt;
  std::vector<std::uint8_t> octets;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    octets.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return octets;
}

// A number that is whole and not negative; 0 where there is none, or another one.
std::uint64_t whole(const json& event, const char* name) {
  const auto field = event.find(name);
  return field != event.end() && field->is_number_unsigned() ? field->get<std::uint64_t>() : 0;
}

// "tcp_congestion: SlowStart [RFC 5681 3.1], before 14600, cwnd 16060"
std::string as_comment(const json& event) {
  std::string text = event.value("event", "");
  if (event.contains("reason"))
    text += fmt::format(": {} [{}]", event.value("reason", ""), event.value("rfc", ""));
  for (const auto& [name, value] : event.items()) {
    if (name == "v" || name == "id" || name == "cause" || name == "t_ns" || name == "event" ||
        name == "reason" || name == "rfc" || name == "host" || name == "local" || name == "remote")
      continue;
    text += fmt::format(", {} {}", name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  constexpr std::size_t kMaxComment = 1000;
  if (text.size() > kMaxComment) text.resize(kMaxComment);
  return text;
}

class JsonTraceSource final : public CaptureSource {
 public:
  explicit JsonTraceSource(InputFile file) : CaptureSource(std::move(file)) {}

  std::expected<std::optional<CapturedPacket>, CaptureError> next() override {
    while (true) {
      const std::uint64_t start = file_.position();
      const auto more = read_line();
      if (!more) return refuse(start, more.error());
      if (!*more) return hand_out(std::nullopt);
      if (line_.find_first_not_of(" \t\r") == std::string::npos) continue;
      const json event = json::parse(line_, nullptr, false);
      if (!event.is_object() || !event.contains("event") || !event["event"].is_string())
        return refuse(start, "this line is no event of a trace; see docs/trace.md");
      try {
        if (event["event"] != "packet") {
          note(event);
          continue;
        }
        auto packet = packet_of(event);
        if (!packet) return refuse(start, packet.error());
        if (*packet && holds_) return hand_out(std::move(**packet));
        if (*packet) hold(std::move(**packet));
      } catch (const json::exception&) {
        return refuse(start, "a field of this event is of another type than docs/trace.md says");
      }
    }
  }

  // It is carried on as pcapng.
  CaptureFormat format() const override { return CaptureFormat::kPcapng; }

 private:
  struct Held {
    CapturedPacket packet;
    std::vector<std::uint8_t> octets;
    std::string host;
    std::uint64_t id = 0;
  };

  // False at the end of the file. The error says what is wrong.
  std::expected<bool, std::string> read_line() {
    line_.clear();
    while (true) {
      const Bytes there = file_.available();
      if (there.empty()) break;
      const auto end = std::ranges::find(there, std::uint8_t{'\n'});
      const auto size = static_cast<std::size_t>(end - there.begin());
      if (line_.size() + size > kMaxLine)
        return std::unexpected(fmt::format("a line of more than {} octets", kMaxLine));
      line_.append(there.begin(), end);
      file_.skip(size + (end != there.end() ? 1 : 0));
      if (end != there.end()) return true;
    }
    if (!file_.trouble().empty()) return std::unexpected(file_.trouble());
    return !line_.empty();
  }

  // nullopt for a packet without headers: of an older trace, or no IP.
  std::expected<std::optional<Held>, std::string> packet_of(const json& event) {
    if (!event.contains("headers")) return std::nullopt;
    Held held;
    auto octets = from_hex(event["headers"].get<std::string>());
    if (!octets) return std::unexpected("the headers of this packet are not in hexadecimal digits");
    held.octets = std::move(*octets);
    held.host = event.value("host", "");
    held.id = whole(event, "id");
    held.packet.link_type = event.value("ethernet", true) ? LinkType::kEthernet : LinkType::kRaw;
    const auto interface = interface_of({held.host, whole(event, "interface"), held.packet.link_type});
    if (!interface) return std::unexpected(fmt::format("more than {} interfaces", kMaxInterfaces));
    CapturedPacket& packet = held.packet;
    packet.interface = *interface;
    const std::uint64_t time = whole(event, "t_ns");
    if (time > static_cast<std::uint64_t>(Duration::max().count() / 2))
      return std::unexpected("the time of this event is more than 146 years from zero");
    packet.time = Duration(static_cast<std::int64_t>(time));
    const auto length = whole(event, "octets");
    packet.original_length =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(length, held.octets.size(), kMaxPacket));
    packet.is_outgoing = event.value("direction", "") == "out";
    return held;
  }

  using InterfaceKey = std::tuple<std::string, std::uint64_t, LinkType>;  // host, number

  std::optional<std::uint32_t> interface_of(const InterfaceKey& key) {
    const auto known = numbers_.find(key);
    if (known != numbers_.end()) return known->second;
    if (numbers_.size() == kMaxInterfaces) return std::nullopt;
    const auto index = static_cast<std::uint32_t>(numbers_.size());
    const auto& [host, number, link_type] = key;
    interfaces_.push_back({.name = fmt::format("{}{}interface {}", host, host.empty() ? "" : " ", number),
                           .link_type = link_type});
    numbers_.emplace(key, index);
    return index;
  }

  // What follows a packet that came in was decided because of it; what was decided before one that goes out,
  // of the same host, says why it goes.
  void note(const json& event) {
    if (waiting_.size() > kMaxInterfaces) waiting_.clear();
    auto& comments = holds_ && held_.host == event.value("host", "") && whole(event, "cause") == held_.id &&
                             !*held_.packet.is_outgoing
                         ? held_.packet.comments
                         : waiting_[event.value("host", "")];
    if (comments.size() < kMaxComments) comments.push_back(as_comment(event));
  }

  void hold(Held next) {
    holds_ = true;
    held_ = std::move(next);
    const auto before = waiting_.find(held_.host);
    if (before == waiting_.end() || !*held_.packet.is_outgoing) return;
    held_.packet.comments = std::move(before->second);
    waiting_.erase(before);
  }

  // The packet that is held, and `next` in its place.
  std::optional<CapturedPacket> hand_out(std::optional<Held> next) {
    if (!holds_) return std::nullopt;
    out_ = std::move(held_);
    holds_ = false;
    if (next) hold(std::move(*next));
    out_.packet.number = ++packets_;
    out_.packet.octets = out_.octets;
    return out_.packet;
  }

  std::string line_;
  std::map<InterfaceKey, std::uint32_t> numbers_;
  std::map<std::string, std::vector<std::string>> waiting_;  // comments for the next that goes out, by host
  bool holds_ = false;
  Held held_, out_;
  std::uint64_t packets_ = 0;
};

}  // namespace

std::unique_ptr<CaptureSource> open_json_trace(InputFile file) {
  return std::make_unique<JsonTraceSource>(std::move(file));
}

}  // namespace transom::drivers
