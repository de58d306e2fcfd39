// Random networks full of trouble, and what must hold in them whatever happens.
//
//   adversarial [--seeds FIRST-LAST] [--minutes M] [--jobs N]
//   adversarial --spec 'seed=7 loss=100 flow octets=2000'
//
//   --seeds     these; 1-1000 when nothing is said
//   --minutes   seeds from a random one on, or from FIRST, for so long
//   --jobs      processes at once; as many as there are cores when nothing is said
//   --spec      this very scenario, and every event of it
//
// Each seed runs in a child process, many to a process, so that one that crashes is a failure like any other.
// A failure prints its seed, the rule that was broken, the command that repeats it, and the smallest scenario
// that was found to break the same rule.
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <thread>

#include "tests/adversarial/shrink.h"
#include "tests/adversarial/world.h"

namespace transom::test {
namespace {

constexpr unsigned kHangSeconds = 120;  // for one seed; an endless loop is ended by the alarm
constexpr std::size_t kShrinkTries = 250;
constexpr std::size_t kLastEvents = 40;

struct Settings {
  std::uint32_t first = 1, last = 1000;
  bool has_first = false;
  double minutes = 0;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  std::string spec{};
};

// What the children tell; in memory that they share with the parent.
struct Shared {
  std::atomic<std::uint32_t> next;
  std::atomic<bool> stop;
  std::atomic<std::uint64_t> seeds, connections, octets, packets, failures;
  std::atomic<std::uint32_t> current[64];  // by worker; 0: none
  std::atomic<std::uint32_t> failed[64];
};

// The name of the trouble; empty when there was none. In a process of its own: it may be a crash.
std::string rule_of(const Scenario& scenario) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    (void)freopen("/dev/null", "w", stderr);
    alarm(kHangSeconds);
    const Outcome outcome = run_scenario(scenario);
    const std::string rule = outcome.violation ? outcome.violation->rule : "";
    const bool told = write(ends[1], rule.data(), rule.size()) == static_cast<ssize_t>(rule.size());
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  char text[128];
  const ssize_t length = read(ends[0], text, sizeof text);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return "crash";
  return {text, static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
}

void print_run(const Scenario& scenario) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    alarm(kHangSeconds);
    const Outcome outcome = run_scenario(scenario, kLastEvents);
    for (const std::string& line : outcome.last_events) fmt::print("    {}\n", line);
    if (outcome.violation) fmt::print("  {}: {}\n", outcome.violation->rule, outcome.violation->what);
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fmt::print("  it crashes, or does not end\n");
}

void report(std::uint32_t seed, const char* program) {
  const Scenario scenario = draw(seed);
  const std::string rule = rule_of(scenario);
  fmt::print("seed {} fails: {}\n  again: {} --seeds {}-{}\n  drawn: {}\n", seed, rule, program, seed, seed,
             to_text(scenario));
  std::fflush(stdout);
  if (rule.empty()) {
    fmt::print("  not when run again: it depends on something besides its seed\n");
    return;
  }
  const Scenario smallest = shrink(
      scenario, [&rule](const Scenario& candidate) { return rule_of(candidate) == rule; }, kShrinkTries);
  fmt::print("  shrunk, as a command: {} --spec '{}'\n  its last events:\n", program, to_text(smallest));
  print_run(smallest);
  std::fflush(stdout);
}

void work(Shared& shared, std::size_t worker, std::uint32_t last) {
  while (!shared.stop) {
    const std::uint32_t seed = shared.next++;
    if (seed > last) break;
    shared.current[worker] = seed;
    alarm(kHangSeconds);
    const Outcome outcome = run_scenario(draw(seed));
    ++shared.seeds;
    shared.connections += outcome.connections;
    shared.octets += outcome.octets;
    shared.packets += outcome.packets;
    if (outcome.violation) {
      fmt::print("seed {}: {}: {}\n", seed, outcome.violation->rule, outcome.violation->what);
      std::fflush(stdout);
      const std::uint64_t number = shared.failures++;
      if (number < std::size(shared.failed)) shared.failed[number] = seed;
    }
  }
  shared.current[worker] = 0;
}

int run_seeds(const Settings& settings, const char* program) {
  void* const memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    fmt::print(stderr, "adversarial: no shared memory: {}\n", std::strerror(errno));
    return 2;
  }
  Shared& shared = *new (memory) Shared{};
  shared.next = settings.first;
  const std::uint32_t last = settings.minutes > 0 ? UINT32_MAX - 1 : settings.last;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(settings.minutes * 60);
  const std::size_t jobs = std::min<std::size_t>(settings.jobs, std::size(shared.current));
  std::vector<pid_t> workers(jobs);
  const auto start = [&](std::size_t worker) {
    std::fflush(stdout);
    workers[worker] = fork();
    if (workers[worker] != 0) return;
    work(shared, worker, last);
    std::fflush(stdout);
    _exit(0);
  };
  for (std::size_t i = 0; i < jobs; ++i) start(i);
  std::size_t running = jobs;
  while (running > 0) {
    if (settings.minutes > 0 && std::chrono::steady_clock::now() >= end) shared.stop = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    for (std::size_t i = 0; i < jobs; ++i) {
      int status = 0;
      if (workers[i] == 0 || waitpid(workers[i], &status, WNOHANG) != workers[i]) continue;
      workers[i] = 0;
      --running;
      const std::uint32_t seed = shared.current[i].exchange(0);
      if (seed == 0) continue;
      fmt::print("seed {}: crash: it ended its process\n", seed);
      const std::uint64_t number = shared.failures++;
      if (number < std::size(shared.failed)) shared.failed[number] = seed;
      ++running;
      start(i);
    }
  }
  constexpr std::size_t kReported = 3;
  for (std::size_t i = 0; i < std::min<std::size_t>(shared.failures, kReported); ++i)
    report(shared.failed[i], program);
  fmt::print("{} seeds from {} on, {} failures; {} connections, {} octets sent, {} packets delivered\n",
             shared.seeds.load(), settings.first, shared.failures.load(), shared.connections.load(),
             shared.octets.load(), shared.packets.load());
  return shared.failures == 0 && shared.seeds > 0 ? 0 : 1;
}

int run_spec(const Settings& settings) {
  const auto scenario = parse_scenario(settings.spec);
  if (!scenario) {
    fmt::print(stderr, "adversarial: '{}' is not understood; words are NAME=VALUE and flow\n",
               scenario.error());
    return 2;
  }
  const Outcome outcome = run_scenario(*scenario, SIZE_MAX);
  for (const std::string& line : outcome.last_events) fmt::print("{}\n", line);
  if (outcome.violation) {
    fmt::print("{}: {}\n", outcome.violation->rule, outcome.violation->what);
    return 1;
  }
  fmt::print("nothing wrong; {} packets, trace hash {:016x}\n", outcome.packets, outcome.hash);
  return 0;
}

std::optional<Settings> settings_of(int count, char** words) {
  Settings settings;
  const auto number = [](std::string_view text, std::uint32_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  };
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = words[i];
    const std::string_view value = words[i + 1];
    bool is_good = false;
    if (name == "--seeds") {
      const std::size_t dash = value.find('-');
      is_good = number(value.substr(0, dash), settings.first);
      settings.last = settings.first;
      settings.has_first = true;
      if (dash != std::string_view::npos) is_good &= number(value.substr(dash + 1), settings.last);
      is_good &= settings.first > 0;
    } else if (name == "--minutes") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), settings.minutes);
      is_good = error == std::errc() && settings.minutes > 0;
    } else if (name == "--jobs") {
      is_good = number(value, settings.jobs) && settings.jobs > 0;
    } else if (name == "--spec") {
      settings.spec = value;
      is_good = !value.empty();
    }
    if (!is_good) return std::nullopt;
  }
  if (count % 2 == 0) return std::nullopt;
  if (settings.minutes > 0 && !settings.has_first)
    settings.first = 1 + std::random_device()() % 4'000'000'000U;
  return settings;
}

}  // namespace
}  // namespace transom::test

int main(int count, char** words) {
  const auto settings = transom::test::settings_of(count, words);
  if (!settings) {
    fmt::print(stderr,
               "usage: adversarial [--seeds FIRST-LAST] [--minutes M] [--jobs N]\n"
               "       adversarial --spec 'seed=7 loss=100 flow octets=2000'\n");
    return 2;
  }
  return settings->spec.empty() ? transom::test::run_seeds(*settings, words[0])
                                : transom::test::run_spec(*settings);
}
