// A host of this process on a device: namespace, device, kernel end, stack, addresses; what the device flags
// ask for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "drivers/trace/trace_sinks.h"
#include "socket_api/stack_instance.h"
#include "tools/device_options.h"

namespace transom::tools {

// What a host gets that is given no device.
enum class DefaultDevice { kPrivateTap, kLoopbackAlone };

class LocalHost {
 public:
  // Sets everything up and waits until the addresses are usable. Before any thread is started. Throws
  // Failure. `watcher` is told what the traces are told.
  explicit LocalHost(const DeviceOptions& options, DefaultDevice otherwise = DefaultDevice::kPrivateTap,
                     std::unique_ptr<drivers::TraceSink> watcher = nullptr);
  ~LocalHost();

  sockets::Stack& stack() { return *stack_; }
  InterfaceId interface() const { return interface_; }
  const std::string& device_name() const { return device_name_; }
  // One line per thing that was set up.
  const std::vector<std::string>& report() const { return report_; }
  // How a person enters the private network; empty when there is none.
  const std::string& enter_command() const { return enter_command_; }
  // Addresses of this host and of the kernel's end, as far as they were set up here.
  const std::vector<IpPrefix>& addresses() const { return addresses_; }
  const std::vector<IpPrefix>& kernel_addresses() const { return kernel_addresses_; }
  // What has happened to the device for good; empty while all is well.
  std::string device_failure();

 private:
  void choose_addresses(const DeviceOptions& options);
  std::unique_ptr<drivers::Device> open_device(const DeviceOptions& options);
  std::unique_ptr<drivers::Device> open_interface(const DeviceOptions& options);
  std::unique_ptr<drivers::Device> open_tap(const DeviceOptions& options);
  void open_traces(const DeviceOptions& options);
  void use_congestion_control(const std::string& text);
  void set_up_kernel_end(const DeviceOptions& options);
  void add_addresses(const DeviceOptions& options);
  void configure_by_network(const DeviceOptions& options);

  std::string enter_command_;
  std::string device_name_;
  bool is_made_here_ = false;
  std::vector<IpPrefix> addresses_;
  std::vector<IpPrefix> kernel_addresses_;
  std::vector<std::string> report_;
  drivers::TraceFiles trace_;
  std::unique_ptr<sockets::Stack> stack_;
  InterfaceId interface_{};
};

}  // namespace transom::tools
