// A file that is written once, front to back; packed with gzip or zstd where its name ends in .gz or .zst.
// Trouble with it is kept, and told once: to whoever flushes or closes it, else on standard error.
#pragma once

#include <cstdio>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "drivers/device.h"

namespace transom::drivers {

class OutputFile {
 public:
  // "-" is standard output.
  static std::expected<OutputFile, DeviceError> open(const std::string& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  void write(std::string_view octets);
  // What was written is with the kernel afterwards, as far as can be unpacked. The error: why it is not.
  std::expected<void, std::string> flush();
  // Ends the file. Nothing may be written afterwards.
  std::expected<void, std::string> close();

 private:
  class Packer;
  class GzipPacker;
  class ZstdPacker;
  explicit OutputFile(std::FILE* file);
  std::expected<void, std::string> state();

  std::FILE* file_;
  std::unique_ptr<Packer> packer_;  // empty: as it is
  bool is_trouble_told_ = false;
};

}  // namespace transom::drivers
