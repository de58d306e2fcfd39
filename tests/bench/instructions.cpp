// Fixed work, for counting its instructions: tests/bench/instructions.py runs it under callgrind.
//
//   build/release/bin/instructions NAME
#include <cstdio>
#include <functional>
#include <map>
#include <string>

#include "tests/bench/pair.h"

namespace {

using transom::Pair;

struct Scenario {
  bool offload;
  int warm_up;  // times that the work is done before it counts
  int times;
  std::function<void(Pair&)> work;
};

const std::map<std::string, Scenario> kScenarios = {
    {"bulk-mtu-1500", {false, 20, 8, [](Pair& pair) { pair.move(); }}},
    {"bulk-super-frames", {true, 20, 100, [](Pair& pair) { pair.move(); }}},
    {"request-response", {true, 20, 1000, [](Pair& pair) { pair.ask(); }}},
    {"connections",
     {true, 20, 300,
      [](Pair& pair) {
        pair.close_one();
        pair.open_one();
      }}},
};

}  // namespace

// What callgrind is told to count.
extern "C" [[gnu::noinline]] void counted_work(const Scenario& scenario, Pair& pair) {
  for (int i = 0; i < scenario.times; ++i) scenario.work(pair);
}

int main(int count, char** arguments) {
  const auto found = count == 2 ? kScenarios.find(arguments[1]) : kScenarios.end();
  if (found == kScenarios.end()) {
    std::fputs("usage: instructions NAME, one of:", stderr);
    for (const auto& [name, scenario] : kScenarios) std::fprintf(stderr, " %s", name.c_str());
    std::fputs("\n", stderr);
    return 2;
  }
  const Scenario& scenario = found->second;
  Pair pair(scenario.offload);
  for (int i = 0; i < scenario.warm_up; ++i) scenario.work(pair);
  counted_work(scenario, pair);
  return 0;
}
