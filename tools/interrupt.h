// Turns SIGINT and SIGTERM into a call, made by a thread of its own.
#pragma once

#include <csignal>
#include <functional>
#include <thread>

namespace transom::tools {

// The signals are blocked from construction on, in this thread and those that it starts.
class Interrupt {
 public:
  explicit Interrupt(std::function<void()> on_signal);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

 private:
  std::function<void()> on_signal_;
  std::thread thread_;
};

}  // namespace transom::tools
