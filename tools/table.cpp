#include "tools/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace transom::tools {

void print_table(const std::vector<std::vector<std::string>>& rows, const std::vector<std::size_t>& right) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += ' ';
      const bool is_right = std::ranges::find(right, i) != right.end();
      line += is_right ? fmt::format("{:>{}}", row[i], widths[i]) : fmt::format("{:<{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::fputs((line + '\n').c_str(), stdout);
  }
}

}  // namespace transom::tools
