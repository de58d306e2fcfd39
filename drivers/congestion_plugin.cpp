#include "drivers/congestion_plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

namespace transom::drivers {

namespace {

using tcp::CongestionFactory;

constexpr const char* kEntry = "transom_congestion_control_v1";
constexpr std::string_view kSuffix = ".so";

std::expected<const CongestionFactory*, std::string> load(const std::string& path) {
  void* const object = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) {
    const char* const why = dlerror();
    return std::unexpected(fmt::format("cannot load the congestion control {}: {}", path,
                                       why != nullptr ? why : "the system does not say why"));
  }
  using Entry = const CongestionFactory* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(object, kEntry));
  if (entry == nullptr) {
    return std::unexpected(fmt::format(
        "{} is no congestion control for this version: it does not define {}; compile it against the "
        "headers of this version, see docs/congestion-control.md",
        path, kEntry));
  }
  const CongestionFactory* const factory = entry();
  if (factory == nullptr || factory->create == nullptr)
    return std::unexpected(
        fmt::format("{} defines {}, but that gives nothing to make connections with", path, kEntry));
  return factory;
}

std::optional<std::string> find_by_name(std::string_view name) {
  const char* const variable = std::getenv("TRANSOM_CONGESTION_PATH");
  std::string_view directories = variable != nullptr ? variable : "";
  while (!directories.empty()) {
    const std::string_view directory = directories.substr(0, directories.find(':'));
    directories.remove_prefix(std::min(directory.size() + 1, directories.size()));
    if (directory.empty()) continue;
    const std::string path = fmt::format("{}/{}{}", directory, name, kSuffix);
    if (access(path.c_str(), R_OK) == 0) return path;
  }
  return std::nullopt;
}

}  // namespace

std::expected<const CongestionFactory*, std::string> choose_congestion_control(tcp::TcpLayer& layer,
                                                                               std::string_view text,
                                                                               const std::string& directory) {
  const std::size_t slash = text.rfind('/');
  const std::size_t colon = text.find(':', slash == std::string_view::npos ? 0 : slash);
  const std::string_view name = text.substr(0, colon);
  std::optional<std::string> path;
  if (slash != std::string_view::npos || name.ends_with(kSuffix)) {
    path = name.starts_with('/') ? std::string(name) : fmt::format("{}/{}", directory, name);
  } else if (layer.congestion_control(name) == nullptr) {
    path = find_by_name(name);
  }
  if (!path) return layer.choose_congestion_control(text);

  const auto factory = load(*path);
  if (!factory) return factory;
  if (!layer.add_congestion_control(**factory)) {
    return std::unexpected(fmt::format("{} calls its congestion control '{}': that name is taken, or is none",
                                       *path, (*factory)->name));
  }
  const std::string_view parameters = colon == std::string_view::npos ? "" : text.substr(colon);
  return layer.choose_congestion_control(fmt::format("{}{}", (*factory)->name, parameters));
}

}  // namespace transom::drivers
