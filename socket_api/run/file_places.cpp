#include "socket_api/run/file_places.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "socket_api/run/trapped_call.h"

namespace transom::sockets::run {

namespace {

namespace fs = std::filesystem;

// proc_pid_fdinfo(5): "tfd: 5 events: 19 data: 5  pos:0 ino:61af sdev:7".
void find_in_epoll(pid_t process, int epoll, const struct stat& socket, FilePlaces& places) {
  std::FILE* const info = std::fopen(fmt::format("/proc/{}/fdinfo/{}", process, epoll).c_str(), "re");
  if (info == nullptr) return;
  for (std::array<char, 256> line; std::fgets(line.data(), line.size(), info) != nullptr;) {
    int number = -1;
    unsigned events = 0;
    std::uint64_t data = 0;
    std::uint64_t inode = 0;
    unsigned device = 0;
    if (std::sscanf(line.data(), "tfd: %d events: %x data: %" SCNx64 " pos:%*d ino:%" SCNx64 " sdev:%x",
                    &number, &events, &data, &inode, &device) != 5)
      continue;
    constexpr unsigned kMinorBits = 20;  // as the kernel writes it
    if (inode != socket.st_ino || device != (major(socket.st_dev) << kMinorBits | minor(socket.st_dev)))
      continue;
    auto taken = take_descriptor(process, epoll);
    if (taken)
      places.epolls.push_back({std::move(*taken), number, {.events = events, .data = {.u64 = data}}});
  }
  std::fclose(info);
}

}  // namespace

FilePlaces find_places(pid_t process, int socket) {
  FilePlaces places;
  struct stat status{};
  if (fstat(socket, &status) != 0) return places;
  const std::string name = fmt::format("socket:[{}]", status.st_ino);
  std::error_code error;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(fmt::format("/proc/{}/fd", process), error)) {
    const std::string target = fs::read_symlink(entry, error).native();
    const int number = std::atoi(entry.path().filename().c_str());
    if (target == name) places.numbers.push_back(number);
    if (target == "anon_inode:[eventpoll]") find_in_epoll(process, number, status, places);
  }
  return places;
}

void enter_epolls(const FilePlaces& places, int socket) {
  if (places.epolls.empty()) return;
  // The numbers may be in use here: a thread with descriptors of its own has them free.
  std::thread([&] {
    if (unshare(CLONE_FILES) != 0) return;
    int highest = 0;
    for (const FilePlaces::InEpoll& place : places.epolls) highest = std::max(highest, place.number);
    const auto out_of_the_way = [highest](int descriptor) {
      return fcntl(descriptor, F_DUPFD_CLOEXEC, highest + 1);
    };
    const int file = out_of_the_way(socket);
    std::vector<int> epolls;
    for (const FilePlaces::InEpoll& place : places.epolls)
      epolls.push_back(out_of_the_way(place.epoll.get()));
    for (std::size_t i = 0; i < epolls.size(); ++i) {
      epoll_event event = places.epolls[i].event;
      if (dup2(file, places.epolls[i].number) >= 0)
        (void)epoll_ctl(epolls[i], EPOLL_CTL_ADD, places.epolls[i].number, &event);
    }
    // join() does not wait for them, and what is closed here is to be closed when it returns.
    (void)syscall(SYS_close_range, 0U, UINT_MAX, 0U);
  }).join();
}

}  // namespace transom::sockets::run
