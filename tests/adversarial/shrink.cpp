#include "tests/adversarial/shrink.h"

namespace transom::test {

namespace {

class Shrinker {
 public:
  Shrinker(Scenario scenario, const std::function<bool(const Scenario&)>& fails, std::size_t tries)
      : best_(std::move(scenario)), fails_(fails), tries_(tries) {}

  Scenario run() {
    bool is_better = true;
    while (is_better && tries_ > 0) {
      is_better = drop_flows();
      is_better |= reduce<Scenario>(scenario_fields(), [](Scenario& whole) { return &whole; });
      for (std::size_t i = 0; i < best_.flows.size(); ++i)
        is_better |= reduce<Flow>(flow_fields(), [i](Scenario& whole) { return &whole.flows[i]; });
    }
    return best_;
  }

 private:
  bool accept(const Scenario& candidate) {
    if (tries_ == 0) return false;
    --tries_;
    if (!fails_(candidate)) return false;
    best_ = candidate;
    return true;
  }

  bool drop_flows() {
    bool is_better = false;
    for (std::size_t i = best_.flows.size(); i-- > 0 && best_.flows.size() > 1;) {
      Scenario candidate = best_;
      candidate.flows.erase(candidate.flows.begin() + static_cast<std::ptrdiff_t>(i));
      is_better |= accept(candidate);
    }
    return is_better;
  }

  // Each number: its harmless value, else half way to it.
  template <typename Whole, typename PartOf>
  bool reduce(std::span<const Field<Whole>> fields, PartOf part_of) {
    const Whole standard;
    bool is_better = false;
    for (const auto& field : fields) {
      if (field.name == "seed") continue;
      const std::uint32_t goal = standard.*field.value;
      while (tries_ > 0 && part_of(best_)->*field.value != goal) {
        Scenario candidate = best_;
        std::uint32_t& value = part_of(candidate)->*field.value;
        const std::uint32_t before = value;
        value = goal;
        if (accept(candidate)) {
          is_better = true;
          break;
        }
        if (!field.words.empty()) break;
        value = before > goal ? goal + (before - goal) / 2 : before + (goal - before + 1) / 2;
        if (value == before || value == goal || !accept(candidate)) break;
        is_better = true;
      }
    }
    // How much is said, towards one octet.
    if constexpr (std::is_same_v<Whole, Flow>) {
      for (std::uint32_t Flow::* const octets : {&Flow::octets, &Flow::reply}) {
        while (tries_ > 0 && part_of(best_)->*octets > 1) {
          Scenario candidate = best_;
          part_of(candidate)->*octets /= 2;
          if (!accept(candidate)) break;
          is_better = true;
        }
      }
    }
    return is_better;
  }

  Scenario best_;
  const std::function<bool(const Scenario&)>& fails_;
  std::size_t tries_;
};

}  // namespace

Scenario shrink(Scenario scenario, const std::function<bool(const Scenario&)>& fails, std::size_t tries) {
  return Shrinker(std::move(scenario), fails, tries).run();
}

}  // namespace transom::test
