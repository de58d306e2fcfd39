#include "tools/file_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "drivers/markup.h"
#include "tools/failure.h"
#include "tools/http_message.h"

namespace transom::tools {

namespace {

namespace fs = std::filesystem;

// "/a/b/" as openat2() wants it: relative, never empty.
std::string relative(const std::string& path) {
  std::string name = path.substr(1);
  while (name.ends_with('/')) name.pop_back();
  return name.empty() ? "." : name;
}

drivers::FileDescriptor open_beneath(int directory, const std::string& name, std::uint64_t flags,
                                     std::uint64_t mode = 0) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return drivers::FileDescriptor(
      static_cast<int>(syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how)));
}

drivers::FileDescriptor open_directory(const std::string& directory) {
  drivers::FileDescriptor opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened) {
    fail(Exit::kUsage, "cannot read the directory {}: {}; choose one that exists and that you may read",
         directory, std::strerror(errno));
  }
  return opened;
}

void make_directory(int root, const std::string& name) {
  const std::size_t slash = name.rfind('/');
  const auto parent =
      open_beneath(root, slash == std::string::npos ? "." : name.substr(0, slash), O_RDONLY | O_DIRECTORY);
  if (parent) mkdirat(parent.get(), name.substr(slash == std::string::npos ? 0 : slash + 1).c_str(), 0755);
}

// What is missing of `name` below `root`; what cannot be made shows when it is opened.
void make_directories(int root, const std::string& name) {
  for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    make_directory(root, name.substr(0, slash));
  }
  make_directory(root, name);
}

int status_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
      return 404;
    case EACCES:
    case EPERM:
    case EXDEV:  // out of the tree
    case ELOOP:
      return 403;
    case ENOSPC:
    case EDQUOT:
      return 507;
    default:
      return 500;
  }
}

std::expected<FileTree::Opened, int> open_in(int directory, const std::string& name) {
  FileTree::Opened opened;
  // Not blocking: opening a FIFO must not hang the stack.
  opened.descriptor = open_beneath(directory, name, O_RDONLY | O_NONBLOCK);
  if (!opened.descriptor) return std::unexpected(status_of(errno));
  struct stat status{};
  if (fstat(opened.descriptor.get(), &status) != 0) return std::unexpected(500);
  opened.is_directory = S_ISDIR(status.st_mode);
  if (!opened.is_directory && !S_ISREG(status.st_mode)) return std::unexpected(403);
  opened.size = static_cast<std::uint64_t>(status.st_size);
  return opened;
}

}  // namespace

FileTree::FileTree(const std::string& directory, const std::string& scratch)
    : directory_(directory), scratch_(scratch) {
  if (!directory_.empty()) directory_descriptor_ = open_directory(directory_);
  if (scratch_.empty()) return;
  scratch_descriptor_ = open_directory(scratch_);
  if (access(scratch_.c_str(), W_OK) != 0) {
    fail(Exit::kUsage, "cannot write to the directory {}: {}; choose another for uploads", scratch_,
         std::strerror(errno));
  }
}

FileTree::~FileTree() {
  std::error_code ignored;
  if (scratch_is_ours_) fs::remove_all(scratch_, ignored);
}

std::expected<FileTree::Opened, int> FileTree::open(const std::string& path) const {
  const std::string name = relative(path);
  if (scratch_descriptor_ && name != ".") {
    auto uploaded = open_in(scratch_descriptor_.get(), name);
    if (uploaded) return uploaded;
  }
  if (!directory_descriptor_) return std::unexpected(404);
  return open_in(directory_descriptor_.get(), name);
}

std::string FileTree::list(const std::string& path) const {
  std::map<std::string, std::string> entries;  // name: size, or nothing for a directory
  for (const std::string* root : {&directory_, &scratch_}) {
    if (root->empty()) continue;
    std::error_code error;
    for (auto entry = fs::directory_iterator(fs::path(*root) / relative(path), error);
         !error && entry != fs::directory_iterator(); entry.increment(error)) {
      std::error_code ignored;
      const bool is_directory = entry->is_directory(ignored);
      const std::string name = entry->path().filename().string();
      if (name.starts_with(".upload-")) continue;
      entries[name + (is_directory ? "/" : "")] =
          is_directory ? "" : fmt::format("{}", entry->file_size(ignored));
    }
  }
  std::string page = fmt::format(
      "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Index of {0}</title>\n<h1>Index of "
      "{0}</h1>\n<pre>\n",
      drivers::escape_markup(path));
  if (path != "/") page += "<a href=\"../\">../</a>\n";
  for (const auto& [name, size] : entries) {
    page +=
        fmt::format("<a href=\"{}\">{}</a>  {}\n", percent_encode(name), drivers::escape_markup(name), size);
  }
  return page + "</pre>\n";
}

std::expected<FileTree::Upload, int> FileTree::upload(const std::string& path) {
  const std::string name = relative(path);
  if (name == "." || path.ends_with('/')) return std::unexpected(405);
  if (!scratch_descriptor_) {
    std::string made = (fs::temp_directory_path() / "transom-uploads-XXXXXX").string();
    if (mkdtemp(made.data()) == nullptr) return std::unexpected(status_of(errno));
    scratch_ = made;
    scratch_is_ours_ = true;
    scratch_descriptor_ = open_directory(scratch_);
  }
  Upload upload;
  const std::size_t slash = name.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : name.substr(0, slash);
  upload.final_ = name.substr(slash == std::string::npos ? 0 : slash + 1);
  upload.temporary_ = fmt::format(".upload-{}-{}", getpid(), ++uploads_);
  make_directories(scratch_descriptor_.get(), parent);
  upload.parent_ = open_beneath(scratch_descriptor_.get(), parent, O_RDONLY | O_DIRECTORY);
  if (!upload.parent_) return std::unexpected(status_of(errno));
  upload.file_ = open_beneath(upload.parent_.get(), upload.temporary_, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (!upload.file_) return std::unexpected(status_of(errno));
  return upload;
}

FileTree::Upload::~Upload() {
  if (file_) unlinkat(parent_.get(), temporary_.c_str(), 0);
}

bool FileTree::Upload::write(const std::uint8_t* octets, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(file_.get(), octets, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    octets += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

bool FileTree::Upload::commit() {
  if (renameat(parent_.get(), temporary_.c_str(), parent_.get(), final_.c_str()) != 0) return false;
  file_.reset();
  return true;
}

}  // namespace transom::tools
