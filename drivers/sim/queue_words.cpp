// tc's words for queueing disciplines.
#include <fmt/format.h>

#include <functional>
#include <map>
#include <vector>

#include "drivers/sim/queues/codel.h"
#include "drivers/sim/queues/dualpi2.h"
#include "drivers/sim/queues/fifo.h"
#include "drivers/sim/queues/fq_codel.h"
#include "drivers/sim/queues/pie.h"
#include "drivers/sim/queues/red.h"
#include "drivers/units.h"

namespace transom::drivers::sim {

namespace {

// Which words a discipline knows, and where their values go.
class Words {
 public:
  Words& count(std::string_view name, std::uint64_t& place) {
    return add(name, place, parse_count, "a count");
  }
  Words& size(std::string_view name, std::uint64_t& place) { return add(name, place, parse_size, "a size"); }
  Words& rate(std::string_view name, std::uint64_t& place) { return add(name, place, parse_rate, "a rate"); }
  Words& time(std::string_view name, Duration& place) { return add(name, place, parse_duration, "a time"); }
  Words& decimal(std::string_view name, double& place) { return add(name, place, parse_decimal, "a number"); }
  Words& flag(std::string_view name, bool& place) {
    flags_.emplace(name, &place);
    flags_.emplace(fmt::format("no{}", name), &place);
    return *this;
  }

  // Empty, or what is wrong.
  std::string read(std::string_view discipline, const std::vector<std::string_view>& words) const {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (const auto flag = flags_.find(words[i]); flag != flags_.end()) {
        *flag->second = !words[i].starts_with("no");
        continue;
      }
      const auto value = values_.find(words[i]);
      if (value == values_.end()) {
        std::string known;
        for (const auto& entry : values_) known += fmt::format(" {}", entry.first);
        for (const auto& entry : flags_) known += fmt::format(" {}", entry.first);
        return fmt::format("unknown word '{}' of queue {}; known are{}", words[i], discipline, known);
      }
      const std::string_view text = i + 1 < words.size() ? words[i + 1] : std::string_view();
      if (!value->second.store(text))
        return fmt::format("queue {}: {} takes {}, not '{}'", discipline, words[i], value->second.kind, text);
      ++i;
    }
    return {};
  }

 private:
  struct Value {
    std::function<bool(std::string_view)> store;
    std::string_view kind;
  };
  template <typename Place, typename Parse>
  Words& add(std::string_view name, Place& place, Parse parse, std::string_view kind) {
    values_.emplace(name, Value{[&place, parse](std::string_view text) {
                                  const auto value = parse(text);
                                  if (value) place = *value;
                                  return value.has_value();
                                },
                                kind});
    return *this;
  }

  std::map<std::string, Value, std::less<>> values_;
  std::map<std::string, bool*, std::less<>> flags_;
};

std::vector<std::string_view> split(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n";
  std::vector<std::string_view> words;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    if (text.empty()) return words;
    words.push_back(text.substr(0, text.find_first_of(kBlanks)));
    text.remove_prefix(words.back().size());
  }
}

void add_codel_words(Words& words, CodelParameters& parameters) {
  words.count("limit", parameters.limit)
      .time("target", parameters.target)
      .time("interval", parameters.interval)
      .time("ce_threshold", parameters.ce_threshold)
      .flag("ecn", parameters.ecn);
}

}  // namespace

std::expected<std::unique_ptr<Queue>, std::string> make_queue(std::string_view text, link::LinkType type,
                                                              const Seed& seed) {
  std::vector<std::string_view> rest = split(text);
  if (rest.empty())
    return std::unexpected("no queue is named; known are pfifo, bfifo, red, codel, fq_codel, pie, dualpi2");
  const std::string_view name = rest.front();
  rest.erase(rest.begin());
  Words words;
  const auto made = [&](auto make) -> std::expected<std::unique_ptr<Queue>, std::string> {
    const std::string complaint = words.read(name, rest);
    if (!complaint.empty()) return std::unexpected(complaint);
    return make();
  };
  if (name == "pfifo" || name == "bfifo") {
    FifoParameters parameters;
    if (name == "pfifo") {
      words.count("limit", parameters.limit_packets);
    } else {
      parameters = {.limit_packets = UINT64_MAX, .limit_octets = 1'500'000};
      words.size("limit", parameters.limit_octets);
    }
    return made([&] { return std::make_unique<FifoQueue>(type, parameters); });
  }
  if (name == "red") {
    RedParameters parameters;
    words.size("limit", parameters.limit)
        .size("min", parameters.min)
        .size("max", parameters.max)
        .size("avpkt", parameters.avpkt)
        .count("burst", parameters.burst)
        .decimal("probability", parameters.probability)
        .rate("bandwidth", parameters.bandwidth)
        .flag("ecn", parameters.ecn);
    return made([&]() -> std::expected<std::unique_ptr<Queue>, std::string> {
      constexpr std::uint64_t kMaxBurst = 100'000;
      const bool is_sane = parameters.min < parameters.max && parameters.max <= std::uint64_t{1} << 30 &&
                           parameters.avpkt > 0 && parameters.burst <= kMaxBurst && parameters.bandwidth > 0;
      if (!is_sane)
        return std::unexpected("queue red: min must be below max, avpkt not zero and burst at most 100000");
      return std::make_unique<RedQueue>(type, parameters, seed);
    });
  }
  if (name == "codel") {
    CodelParameters parameters;
    add_codel_words(words, parameters);
    return made([&] { return std::make_unique<CodelQueue>(type, parameters); });
  }
  if (name == "fq_codel") {
    FqCodelParameters parameters;
    add_codel_words(words, parameters.codel);
    words.count("flows", parameters.flows).size("quantum", parameters.quantum);
    return made([&]() -> std::expected<std::unique_ptr<Queue>, std::string> {
      constexpr std::uint64_t kMaxFlows = 65536;
      if (parameters.flows == 0 || parameters.flows > kMaxFlows || parameters.quantum == 0)
        return std::unexpected("queue fq_codel: flows must be 1 to 65536, and quantum not zero");
      return std::make_unique<FqCodelQueue>(type, parameters, seed);
    });
  }
  if (name == "pie") {
    PieParameters parameters;
    words.count("limit", parameters.limit)
        .time("target", parameters.target)
        .time("tupdate", parameters.tupdate)
        .decimal("alpha", parameters.alpha)
        .decimal("beta", parameters.beta)
        .flag("ecn", parameters.ecn);
    return made([&]() -> std::expected<std::unique_ptr<Queue>, std::string> {
      if (parameters.tupdate <= Duration::zero())
        return std::unexpected("queue pie: tupdate must not be zero");
      return std::make_unique<PieQueue>(type, parameters, seed);
    });
  }
  if (name == "dualpi2") {
    DualPi2Parameters parameters;
    words.count("limit", parameters.limit)
        .time("target", parameters.target)
        .time("tupdate", parameters.tupdate)
        .decimal("alpha", parameters.alpha)
        .decimal("beta", parameters.beta)
        .decimal("coupling_factor", parameters.coupling_factor)
        .time("step_thresh", parameters.step_thresh);
    return made([&]() -> std::expected<std::unique_ptr<Queue>, std::string> {
      if (parameters.tupdate <= Duration::zero())
        return std::unexpected("queue dualpi2: tupdate must not be zero");
      return std::make_unique<DualPi2Queue>(type, parameters, seed);
    });
  }
  return std::unexpected(
      fmt::format("unknown queue '{}'; known are pfifo, bfifo, red, codel, fq_codel, pie, dualpi2", name));
}

}  // namespace transom::drivers::sim
