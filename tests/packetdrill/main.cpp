// packetdrill_loader --so_filename=FILE --so_flags=WORDS --ip_version=VERSION --local_ip=ADDRESS
//                    --remote_ip=ADDRESS [--verbose] SCRIPT
// Other options of packetdrill are taken and mean nothing, as they do there when a shared object is given.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string_view>

#include "tests/packetdrill/runner.h"

int main(int argc, char** argv) {
  packetdrill::RunOptions options;
  const std::map<std::string_view, std::string*> places = {{"--so_filename", &options.so_filename},
                                                           {"--so_flags", &options.so_flags},
                                                           {"--ip_version", &options.ip_version},
                                                           {"--local_ip", &options.local_ip},
                                                           {"--remote_ip", &options.remote_ip}};
  std::string script;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const std::size_t equals = word.find('=');
    if (word == "--verbose") {
      options.verbose = true;
    } else if (!word.starts_with("--")) {
      script = word;
    } else if (const auto place = places.find(word.substr(0, equals)); place != places.end()) {
      *place->second = word.substr(equals + 1);
    }
  }
  try {
    packetdrill::run_script(options, script);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "{} ({})\n", problem.what(), options.ip_version);
    std::fflush(nullptr);
    std::_Exit(EXIT_FAILURE);  // a thread may be blocked for ever
  }
}
