// Runs scenarios and prints their trace hashes, so that builds can be compared: trace_hash SCENARIO...
#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "drivers/sim/scenario.h"

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i]);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto scenario = transom::drivers::sim::Scenario::parse(text, argv[i], ".");
    if (!scenario) {
      fmt::print(stderr, "{}\n", scenario.error());
      return 2;
    }
    (*scenario)->run();
    fmt::print("{} {:016x}\n", argv[i], (*scenario)->simulation().trace_hash());
  }
}
