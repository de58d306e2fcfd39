// The files that the http service shows: a directory to read from, and a scratch directory that uploads go
// to. What was uploaded is shown instead of what is in the directory. Nothing outside of the two is ever
// opened, not through a symbolic link either.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "drivers/file_descriptor.h"

namespace transom::tools {

class FileTree {
 public:
  // `directory` may be empty: there are then only uploads. `scratch` may be empty: a temporary directory is
  // made at the first upload and removed at the end. Throws Failure when a directory cannot be read, or
  // written to.
  FileTree(const std::string& directory, const std::string& scratch);
  ~FileTree();
  FileTree(const FileTree&) = delete;
  FileTree& operator=(const FileTree&) = delete;

  struct Opened {
    drivers::FileDescriptor descriptor;
    bool is_directory = false;
    std::uint64_t size = 0;
  };
  // `path` is safe (is_safe_path). On failure: an HTTP status.
  std::expected<Opened, int> open(const std::string& path) const;
  // An HTML page that lists a directory.
  std::string list(const std::string& path) const;

  // An upload in progress: written under another name, and put in its place when it is complete.
  class Upload {
   public:
    Upload() = default;
    Upload(Upload&&) = default;
    Upload& operator=(Upload&&) = default;
    ~Upload();

    bool write(const std::uint8_t* octets, std::size_t size);
    bool commit();

   private:
    friend class FileTree;
    drivers::FileDescriptor parent_;
    drivers::FileDescriptor file_;  // while there is something to commit or to remove
    std::string temporary_;
    std::string final_;
  };
  // Makes directories on the way as needed. On failure: an HTTP status.
  std::expected<Upload, int> upload(const std::string& path);

 private:
  std::string directory_;
  std::string scratch_;
  bool scratch_is_ours_ = false;
  drivers::FileDescriptor directory_descriptor_;
  drivers::FileDescriptor scratch_descriptor_;
  std::uint64_t uploads_ = 0;
};

}  // namespace transom::tools
