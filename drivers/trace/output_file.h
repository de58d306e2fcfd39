// A file that is written once, front to back. Trouble with it is kept for the end and told once.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "drivers/device.h"

namespace transom::drivers {

class OutputFile {
 public:
  // "-" is standard output.
  static std::expected<OutputFile, DeviceError> open(const std::string& path) {
    std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "we");
    if (file == nullptr) {
      return std::unexpected(
          DeviceError{fmt::format("cannot write {}: {}; name a file in a directory that exists and is yours",
                                  path, std::strerror(errno)),
                      errno});
    }
    return OutputFile(file);
  }
  OutputFile(OutputFile&& other) noexcept : file_(std::exchange(other.file_, nullptr)) {}
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile() {
    if (file_ == nullptr) return;
    const bool failed = std::fflush(file_) != 0 || std::ferror(file_) != 0;
    if (file_ != stdout) std::fclose(file_);
    if (failed)
      std::fputs("transom: a trace is not complete: writing it failed (is the disk full?)\n", stderr);
  }

  void write(std::string_view octets) { std::fwrite(octets.data(), 1, octets.size(), file_); }

 private:
  explicit OutputFile(std::FILE* file) : file_(file) {}

  std::FILE* file_;
};

}  // namespace transom::drivers
