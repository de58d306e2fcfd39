// hosts(5): names that are known without asking anybody.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stack/base/address.h"

namespace transom::sockets {

class HostsFile {
 public:
  // An unreadable file has no lines. At most 1 MiB of it is read; lines that make no sense are passed over.
  static HostsFile read(const std::string& path);
  static HostsFile parse(std::string_view text);

  // In the order of the file; case and a dot at the end do not matter.
  std::vector<IpAddress> addresses_of(std::string_view name) const;
  // The first name of the first line with this address; empty when there is none.
  std::string name_of(const IpAddress& address) const;

 private:
  struct Line {
    IpAddress address;
    std::vector<std::string> names;  // in lower case
  };
  std::vector<Line> lines_;
};

// In lower case, without a dot at the end: how names are compared.
std::string plain_name(std::string_view name);

}  // namespace transom::sockets
