#include "tools/text_file.h"

#include <fstream>

namespace transom::tools {

void write_text_file(const std::string& path, std::string_view text, Exit failure) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) fail(failure, "cannot write {}", path);
}

}  // namespace transom::tools
