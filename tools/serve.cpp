#include "tools/serve.h"

#include <CLI/CLI.hpp>

#include <charconv>

#include "tools/failure.h"
#include "tools/http_service.h"
#include "tools/simple_services.h"

namespace transom::tools {

ServeOption parse_serve(const std::string& text) {
  const auto bad = [&](const std::string& what) {
    return CLI::ValidationError(
        fmt::format("--serve '{}': {}; write echo=7, discard=9, chargen=19 or http=80:DIR", text, what),
        CLI::ExitCodes::ValidationError);
  };
  ServeOption option;
  const std::size_t equals = text.find('=');
  option.service = text.substr(0, equals);
  if (option.service != "echo" && option.service != "discard" && option.service != "chargen" &&
      option.service != "http") {
    throw bad(fmt::format("there is no service '{}'", option.service));
  }
  if (equals == std::string::npos) throw bad("the port is missing");
  const std::size_t colon = std::min(text.find(':', equals), text.size());
  std::uint16_t port = 0;
  const char* const end = text.data() + colon;
  const auto parsed = std::from_chars(text.data() + equals + 1, end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end || port == 0)
    throw bad("a port is a number from 1 to 65535");
  option.port = Port{port};
  if (colon < text.size()) {
    if (option.service != "http") throw bad("only http takes a directory");
    option.directory = text.substr(colon + 1);
    if (option.directory.empty()) throw bad("the directory is missing");
  }
  return option;
}

Services::Services(sockets::Stack& stack, const std::vector<ServeOption>& options, const std::string& uploads)
    : loop_(stack) {
  for (const ServeOption& option : options) add(option, uploads);
  if (!options.empty()) loop_.start();
}

void Services::add(const ServeOption& option, const std::string& uploads) {
  const auto check = [&](const Result<void>& bound, std::string_view protocol) {
    if (bound) return;
    if (bound.error() == Error::kAddressInUse) {
      fail(Exit::kUsage, "{} port {} is taken by another --serve; give {} another port", protocol,
           to_number(option.port), option.service);
    }
    fail(Exit::kFailed, "cannot serve {} on {} port {}: {}", option.service, protocol, to_number(option.port),
         to_string(bound.error()));
  };
  if (option.service == "http") {
    trees_.push_back(std::make_unique<FileTree>(option.directory, uploads));
    FileTree& tree = *trees_.back();
    check(loop_.serve_tcp(option.port, [&tree] { return make_http(tree); }, http_socket_options()), "TCP");
    report_.push_back(fmt::format("service   http on TCP port {}: {}; uploads to {}", to_number(option.port),
                                  option.directory.empty() ? "a welcome page" : option.directory,
                                  uploads.empty() ? "a temporary directory" : uploads));
    return;
  }
  struct Simple {
    ConversationFactory conversation;
    DatagramHandler datagrams;
  };
  const Simple simple = option.service == "echo"      ? Simple{make_echo, echo_datagrams}
                        : option.service == "discard" ? Simple{make_discard, discard_datagrams}
                                                      : Simple{make_chargen, chargen_datagrams};
  check(loop_.serve_tcp(option.port, simple.conversation), "TCP");
  check(loop_.serve_udp(option.port, simple.datagrams), "UDP");
  report_.push_back(
      fmt::format("service   {} on TCP and UDP port {}", option.service, to_number(option.port)));
}

}  // namespace transom::tools
