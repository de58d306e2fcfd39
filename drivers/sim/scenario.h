// A simulation as a TOML file; docs/simulation.md has all its words.
//
//   duration = "60s"
//   seed = 1
//   [topology]
//   kind = "dumbbell"
//   hosts = 2
//   bottleneck = { rate = "100mbit", delay = "18ms", queue = "pfifo limit 300" }
//   access = { rate = "1gbit", delay = "1ms" }
//   [[flow]]
//   from = "left1"
//   to = "right1"
//   congestion_control = "cubic"
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "drivers/sim/flow.h"
#include "drivers/sim/simulation.h"

namespace transom::drivers::sim {

class Scenario {
 public:
  // `name` is for messages: the file. `directory`: where the files are that it names. An error says the line
  // and what is wrong there.
  static std::expected<std::unique_ptr<Scenario>, std::string> parse(std::string_view text,
                                                                     std::string_view name,
                                                                     const std::string& directory,
                                                                     std::optional<std::uint64_t> seed = {});

  Simulation& simulation() { return *simulation_; }
  const std::string& title() const { return title_; }
  std::uint64_t seed() const { return seed_; }
  Duration duration() const { return duration_; }
  Duration sample_interval() const { return sample_interval_; }
  std::vector<std::unique_ptr<TcpFlow>>& flows() { return flows_; }

  // Runs it to its end; `on_sample` is called at each sample interval, after the flows were sampled, and ends
  // the run when it returns false.
  void run(const std::function<bool()>& on_sample = nullptr);

 private:
  friend class ScenarioReader;
  std::string title_;
  std::uint64_t seed_ = 1;
  Duration duration_ = std::chrono::seconds(10);
  Duration sample_interval_ = std::chrono::milliseconds(10);
  std::unique_ptr<Simulation> simulation_;
  std::vector<std::unique_ptr<TcpFlow>> flows_;
};

}  // namespace transom::drivers::sim
