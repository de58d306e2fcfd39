#include "tests/adversarial/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "stack/base/random.h"

namespace transom::test {

namespace {

constexpr std::string_view kTopologies[] = {"pair", "dumbbell", "star", "parking-lot"};
constexpr std::string_view kWraps[] = {"none", "client-sequence", "server-sequence", "client-clock",
                                       "server-clock"};
constexpr std::string_view kEndings[] = {"polite",        "client-aborts",  "server-aborts",
                                         "client-closes", "server-closes",  "client-deaf",
                                         "server-deaf",   "client-lingers", "nobody-listens"};
constexpr std::string_view kCongestions[] = {"cubic", "reno", "bbr", "dctcp", "prague"};
constexpr std::string_view kQueues[] = {"pfifo", "bfifo", "red", "codel", "fq_codel", "pie", "dualpi2"};
constexpr std::string_view kFaults[] = {"none",           "drop-syn",  "drop-syn-ack",  "duplicate-syn-ack",
                                        "drop-3rd-ack",   "drop-fin",  "drop-again",    "corrupt-header",
                                        "delay-segments", "mark-data", "duplicate-fin", "duplicate-data",
                                        "drop-rst"};
constexpr std::string_view kFaultSentences[] = {"",
                                                "drop the first syn",
                                                "drop the first syn-ack",
                                                "duplicate the first syn-ack",
                                                "drop the 3rd ack",
                                                "drop the 1st fin",
                                                "drop the 1st retransmission",
                                                "corrupt byte 13 of data segment 2",
                                                "delay data segments 3-6 by 400ms",
                                                "mark every data segment",
                                                "duplicate the first fin",
                                                "duplicate data segment 4",
                                                "drop the first rst"};
constexpr std::string_view kEcnModes[] = {"off", "request",       "agree", "request-accurate",
                                          "4",   "agree-accurate"};

constexpr Field<Scenario> kScenarioFields[] = {
    {"seed", &Scenario::seed},
    {"topology", &Scenario::topology, kTopologies},
    {"pairs", &Scenario::pairs},
    {"ethernet", &Scenario::ethernet},
    {"offload", &Scenario::offload},
    {"wrap", &Scenario::wrap, kWraps},
    {"wrap_before", &Scenario::wrap_before},
    {"trouble", &Scenario::trouble},
    {"sack", &Scenario::sack},
    {"timestamps", &Scenario::timestamps},
    {"scaling", &Scenario::scaling},
    {"ecn", &Scenario::ecn, kEcnModes},
    {"min_rto", &Scenario::min_rto},
    {"peer_sack", &Scenario::peer_sack},
    {"peer_timestamps", &Scenario::peer_timestamps},
    {"peer_scaling", &Scenario::peer_scaling},
    {"peer_ecn", &Scenario::peer_ecn, kEcnModes},
    {"max_half_open", &Scenario::max_half_open},
    {"cookies", &Scenario::cookies},
    {"rate", &Scenario::rate},
    {"delay", &Scenario::delay},
    {"jitter", &Scenario::jitter},
    {"loss", &Scenario::loss},
    {"back_loss", &Scenario::back_loss},
    {"burst", &Scenario::burst},
    {"burst_length", &Scenario::burst_length},
    {"reorder", &Scenario::reorder},
    {"gap", &Scenario::gap},
    {"duplicate", &Scenario::duplicate},
    {"corrupt", &Scenario::corrupt},
    {"queue", &Scenario::queue, kQueues},
    {"queue_limit", &Scenario::queue_limit},
    {"mtu", &Scenario::mtu},
    {"access_mtu", &Scenario::access_mtu},
    {"black_hole", &Scenario::black_hole},
    {"black_hole_at", &Scenario::black_hole_at},
    {"down_at", &Scenario::down_at},
    {"down_for", &Scenario::down_for},
    {"new_mtu", &Scenario::new_mtu},
    {"new_mtu_at", &Scenario::new_mtu_at},
    {"new_rate", &Scenario::new_rate},
    {"new_rate_at", &Scenario::new_rate_at},
    {"fault", &Scenario::fault, kFaults},
};

constexpr Field<Flow> kFlowFields[] = {
    {"from", &Flow::from},
    {"to", &Flow::to},
    {"ipv6", &Flow::ipv6},
    {"start", &Flow::start},
    {"count", &Flow::count},
    {"stagger", &Flow::stagger},
    {"cc", &Flow::cc, kCongestions},
    {"octets", &Flow::octets},
    {"reply", &Flow::reply},
    {"chunk", &Flow::chunk},
    {"write_gap", &Flow::write_gap},
    {"read_chunk", &Flow::read_chunk},
    {"read_gap", &Flow::read_gap},
    {"send_buffer", &Flow::send_buffer},
    {"receive_buffer", &Flow::receive_buffer},
    {"no_delay", &Flow::no_delay},
    {"cork", &Flow::cork},
    {"more", &Flow::more},
    {"quick_ack", &Flow::quick_ack},
    {"keep_alive", &Flow::keep_alive},
    {"not_sent_low_water", &Flow::not_sent_low_water},
    {"max_segment", &Flow::max_segment},
    {"pacing", &Flow::pacing},
    {"urgent", &Flow::urgent},
    {"urgent_in_line", &Flow::urgent_in_line},
    {"user_timeout", &Flow::user_timeout},
    {"ending", &Flow::ending, kEndings},
    {"ending_at", &Flow::ending_at},
    {"backlog", &Flow::backlog},
    {"accept_gap", &Flow::accept_gap},
};

template <typename Whole>
void append_fields(std::string& text, const Whole& whole, std::span<const Field<Whole>> fields) {
  const Whole standard;
  for (const auto& field : fields) {
    const std::uint32_t value = whole.*field.value;
    if (value == standard.*field.value) continue;
    if (!text.empty()) text += ' ';
    if (value < field.words.size()) {
      text += fmt::format("{}={}", field.name, field.words[value]);
    } else {
      text += fmt::format("{}={}", field.name, value);
    }
  }
}

template <typename Whole>
bool set_field(Whole& whole, std::span<const Field<Whole>> fields, std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view value = word.substr(equals + 1);
  const auto field = std::ranges::find(fields, word.substr(0, equals), &Field<Whole>::name);
  if (field == fields.end()) return false;
  const auto named = std::ranges::find(field->words, value);
  if (named != field->words.end()) {
    whole.*(field->value) = static_cast<std::uint32_t>(named - field->words.begin());
    return true;
  }
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) return false;
  whole.*(field->value) = number;
  return true;
}

// ---------------------------------------------------------------- drawing

class Draw {
 public:
  explicit Draw(std::uint32_t seed) : random_(seed_from_number(seed)) {}

  bool one_in(std::uint32_t n) { return random_.below(n) == 0; }
  std::uint32_t between(std::uint32_t low, std::uint32_t high) {
    return low + static_cast<std::uint32_t>(random_.below(high - low + 1));
  }
  // Small values as often as large ones.
  std::uint32_t scaled(std::uint32_t low, std::uint32_t high) {
    std::uint32_t limit = low;
    const auto doublings = static_cast<std::uint32_t>(std::bit_width(high / std::max(low, 1U)));
    for (std::uint32_t i = between(0, doublings); i > 0 && limit < high; --i) limit = limit * 2 + 1;
    return between(low, std::clamp(limit, low, high));
  }
  template <typename... Values>
  std::uint32_t of(Values... values) {
    const std::array all{static_cast<std::uint32_t>(values)...};
    return all[random_.below(all.size())];
  }

 private:
  Random random_;
};

void draw_network(Draw& draw, Scenario& scenario) {
  scenario.topology = draw.of(0, 0, 0, 0, 1, 1, 2, 3);
  scenario.pairs = draw.of(1, 1, 2, 3);
  if (scenario.topology == 0) scenario.pairs = 1;
  scenario.ethernet = draw.one_in(4);
  scenario.offload = draw.one_in(3);
  scenario.trouble = draw.scaled(500, 16000);
  scenario.sack = scenario.peer_sack = !draw.one_in(5);
  scenario.timestamps = scenario.peer_timestamps = !draw.one_in(5);
  scenario.scaling = scenario.peer_scaling = !draw.one_in(6);
  if (draw.one_in(8)) scenario.peer_sack = !scenario.sack;
  if (draw.one_in(8)) scenario.peer_timestamps = !scenario.timestamps;
  if (draw.one_in(8)) scenario.peer_scaling = !scenario.scaling;
  scenario.ecn = draw.of(0, 1, 2, 3, 5);
  scenario.peer_ecn = draw.of(0, 1, 2, 3, 5);
  if (draw.one_in(4)) scenario.min_rto = draw.of(5, 50, 1000);
  if (draw.one_in(6)) scenario.max_half_open = draw.of(1, 2, 4);
  scenario.cookies = !draw.one_in(4);
  if (draw.one_in(3)) {
    scenario.wrap = draw.between(1, 4);
    scenario.wrap_before = draw.scaled(1, 20000);
  }
}

void draw_link(Draw& draw, Scenario& scenario) {
  scenario.rate = draw.one_in(6) ? 0 : draw.scaled(64, 1000000);
  scenario.delay = draw.scaled(1, 200000);
  if (draw.one_in(4)) scenario.jitter = draw.scaled(1, scenario.delay);
  if (draw.one_in(2)) scenario.loss = scenario.back_loss = draw.scaled(10, 2000);
  if (draw.one_in(3)) scenario.back_loss = draw.scaled(10, 5000);
  if (draw.one_in(5)) {
    scenario.burst = draw.scaled(10, 500);
    scenario.burst_length = draw.scaled(1, 30);
  }
  if (draw.one_in(4)) {
    scenario.reorder = draw.scaled(10, 5000);
    scenario.gap = draw.of(1, 1, 2, 5);
  }
  if (draw.one_in(4)) scenario.duplicate = draw.scaled(10, 5000);
  if (draw.one_in(4)) scenario.corrupt = draw.scaled(10, 1500);
  scenario.queue = draw.of(0, 0, 0, 1, 2, 3, 4, 5, 6);
  scenario.queue_limit = draw.scaled(2, 1000);
  if (draw.one_in(3)) scenario.mtu = draw.of(576, 1280, 1400, 9000);
  if (draw.one_in(4)) scenario.access_mtu = draw.of(576, 1280, 9000, 9000);
  if (draw.one_in(8)) {
    scenario.black_hole = draw.of(600, 1280, 1400);
    scenario.black_hole_at = draw.between(0, scenario.trouble);
  }
  if (draw.one_in(5)) {
    scenario.down_at = draw.between(0, scenario.trouble);
    scenario.down_for = draw.scaled(20, scenario.trouble);
  }
  if (draw.one_in(8)) {
    scenario.new_mtu = draw.of(576, 1280, 1400, 1500, 9000);
    scenario.new_mtu_at = draw.between(0, scenario.trouble);
  }
  if (draw.one_in(6)) {
    scenario.new_rate = draw.scaled(64, 1000000);
    scenario.new_rate_at = draw.between(0, scenario.trouble);
  }
  if (draw.one_in(3)) scenario.fault = draw.between(1, static_cast<std::uint32_t>(std::size(kFaults)) - 1);
}

Flow draw_flow(Draw& draw, const Scenario& scenario) {
  Flow flow;
  const std::uint32_t hosts = 2 * scenario.pairs;
  flow.from = draw.between(0, hosts - 1);
  flow.to = draw.one_in(20) ? flow.from : (flow.from + draw.between(1, hosts - 1)) % hosts;
  flow.ipv6 = draw.one_in(3);
  flow.start = draw.one_in(2) ? 0 : draw.scaled(1, scenario.trouble);
  if (draw.one_in(8)) {
    flow.count = draw.scaled(2, 20);
    flow.stagger = draw.one_in(2) ? 0 : draw.scaled(1, 200);
  }
  flow.cc = draw.of(0, 0, 1, 1, 2, 3, 4);
  flow.octets = draw.one_in(10) ? 0 : draw.scaled(1, 100000) / flow.count;
  flow.reply = draw.one_in(2) ? 0 : draw.scaled(1, 100000) / flow.count;
  flow.chunk = draw.scaled(1, 60000);
  // Neither writing nor reading may take more than some hundred calls.
  flow.chunk = std::max(flow.chunk, std::max(flow.octets, flow.reply) / 500);
  if (draw.one_in(4)) flow.write_gap = draw.scaled(1, 300);
  flow.read_chunk = draw.scaled(1, 65536);
  flow.read_chunk = std::max(flow.read_chunk, std::max(flow.octets, flow.reply) / 500);
  if (draw.one_in(3)) flow.read_gap = draw.scaled(1, 500);
  flow.send_buffer = draw.one_in(2) ? 262144 : draw.scaled(1, 200000);
  flow.receive_buffer = draw.one_in(2) ? 262144 : draw.scaled(1, 200000);
  // A window of a few octets must not mean thousands of segments.
  const std::uint32_t smallest = std::max(flow.octets, flow.reply) / 200;
  flow.send_buffer = std::max({flow.send_buffer, smallest, 1U});
  flow.receive_buffer = std::max({flow.receive_buffer, smallest, 1U});
  flow.no_delay = draw.one_in(3);
  flow.cork = draw.one_in(10);
  flow.more = draw.one_in(10);
  flow.quick_ack = draw.one_in(8);
  flow.keep_alive = draw.one_in(8);
  if (draw.one_in(8)) flow.not_sent_low_water = std::max(draw.scaled(1, 100000), smallest);
  if (draw.one_in(8)) flow.max_segment = std::max(draw.scaled(216, 1460), smallest);
  if (draw.one_in(8)) flow.pacing = draw.scaled(10, 10000);
  if (draw.one_in(6)) {
    flow.urgent = draw.scaled(1000, 50000);
    flow.urgent_in_line = draw.one_in(2);
  }
  if (draw.one_in(12)) flow.user_timeout = draw.scaled(10, 20000);
  if (draw.one_in(3)) {
    flow.ending = draw.between(1, static_cast<std::uint32_t>(std::size(kEndings)) - 1);
    flow.ending_at = draw.between(0, flow.octets + flow.reply);
  }
  if (draw.one_in(4)) flow.backlog = draw.of(0, 1, 2);
  if (draw.one_in(8)) flow.accept_gap = draw.scaled(10, 2000);
  return flow;
}

}  // namespace

std::span<const Field<Scenario>> scenario_fields() { return kScenarioFields; }
std::span<const Field<Flow>> flow_fields() { return kFlowFields; }

std::string_view congestion_word(std::uint32_t value) {
  return kCongestions[value % std::size(kCongestions)];
}
std::string_view fault_words(std::uint32_t value) {
  return kFaultSentences[value % std::size(kFaultSentences)];
}

std::string queue_words(std::uint32_t value, std::uint32_t limit) {
  const std::string_view kind = kQueues[value % std::size(kQueues)];
  constexpr std::uint32_t kLongest = 2 * 65536;  // a super-segment must fit, or nothing would ever pass
  if (kind == "bfifo") return fmt::format("bfifo limit {}", std::max(limit * 1500, kLongest));
  if (kind == "red") {
    const std::uint32_t octets = std::max(limit * 1500, kLongest);
    return fmt::format("red limit {} min {} max {} probability 0.1 ecn", octets, octets / 8, octets / 2);
  }
  if (kind == "pfifo" || kind == "dualpi2") return fmt::format("{} limit {}", kind, limit);
  return fmt::format("{} limit {} ecn", kind, limit);
}

Scenario draw(std::uint32_t seed) {
  Draw draw(seed);
  Scenario scenario;
  scenario.seed = seed;
  draw_network(draw, scenario);
  draw_link(draw, scenario);
  const std::uint32_t flows = draw.of(1, 1, 1, 2, 3, 5);
  for (std::uint32_t i = 0; i < flows; ++i) scenario.flows.push_back(draw_flow(draw, scenario));
  return scenario;
}

std::string to_text(const Scenario& scenario) {
  std::string text = fmt::format("seed={}", scenario.seed);
  append_fields(text, scenario, scenario_fields().subspan(1));
  for (const Flow& flow : scenario.flows) {
    text += " flow";
    append_fields(text, flow, flow_fields());
  }
  return text;
}

std::expected<Scenario, std::string> parse_scenario(std::string_view text) {
  Scenario scenario;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (word.empty()) continue;
    if (word == "flow") {
      scenario.flows.emplace_back();
    } else if (!(scenario.flows.empty() ? set_field(scenario, scenario_fields(), word)
                                        : set_field(scenario.flows.back(), flow_fields(), word))) {
      return std::unexpected(std::string(word));
    }
  }
  return scenario;
}

}  // namespace transom::test
