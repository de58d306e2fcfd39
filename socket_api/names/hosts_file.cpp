#include "socket_api/names/hosts_file.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace transom::sockets {

std::string plain_name(std::string_view name) {
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  std::string plain(name);
  for (char& c : plain) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return plain;
}

HostsFile HostsFile::read(const std::string& path) {
  constexpr std::size_t kMaxSize = 1 << 20;
  std::string text(kMaxSize, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return parse(text);
}

HostsFile HostsFile::parse(std::string_view text) {
  HostsFile file;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string word;
    if (!(words >> word)) continue;
    const auto address = IpAddress::parse(word);
    if (!address) continue;
    Line entry{*address, {}};
    while (words >> word) entry.names.push_back(plain_name(word));
    if (!entry.names.empty()) file.lines_.push_back(std::move(entry));
  }
  return file;
}

std::vector<IpAddress> HostsFile::addresses_of(std::string_view name) const {
  const std::string wanted = plain_name(name);
  std::vector<IpAddress> addresses;
  for (const Line& line : lines_) {
    const bool is_named = std::ranges::find(line.names, wanted) != line.names.end();
    if (is_named && std::ranges::find(addresses, line.address) == addresses.end())
      addresses.push_back(line.address);
  }
  return addresses;
}

std::string HostsFile::name_of(const IpAddress& address) const {
  const auto found = std::ranges::find(lines_, address, &Line::address);
  return found == lines_.end() ? std::string() : found->names.front();
}

}  // namespace transom::sockets
