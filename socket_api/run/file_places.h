// Where a process has a socket: the numbers of its descriptors, and its places in epolls. When another socket
// takes over from it, it is put where the first one was.
#pragma once

#include <sys/epoll.h>
#include <sys/types.h>

#include <vector>

#include "drivers/file_descriptor.h"

namespace transom::sockets::run {

struct FilePlaces {
  struct InEpoll {
    drivers::FileDescriptor epoll;  // of ours, for the moment
    int number = -1;                // by which the process has put it there
    epoll_event event{};
  };

  std::vector<int> numbers;
  std::vector<InEpoll> epolls;
};

// `socket`: a descriptor of ours of that socket. What cannot be looked at is left out.
FilePlaces find_places(pid_t process, int socket);

// Puts `socket`, a descriptor of ours, into the epolls as if the process had. An epoll knows a file by its
// number too, so that is made the same for the moment.
void enter_epolls(const FilePlaces& places, int socket);

}  // namespace transom::sockets::run
