// The TCP layer as its connections see it: what they share, and what they ask it for.
#pragma once

#include "stack/base/context.h"
#include "stack/ip/ip_layer.h"
#include "stack/tcp/congestion/registry.h"
#include "stack/tcp/fast_open_cache.h"
#include "stack/tcp/secrets.h"
#include "stack/tcp/shared_options.h"
#include "stack/tcp/tcp_layer.h"

namespace transom::tcp {

class ConnectionOwner {
 public:
  Context& context;
  ip::IpLayer& ip;
  Config config;
  Secrets secrets;
  CongestionRegistry congestion;
  FastOpenCache fast_open_cache;

  // Most connections have the same options as the one before, and share them.
  SharedOptions share(const Options& options) {
    if (*latest_options_ != options) latest_options_ = SharedOptions(options);
    return latest_options_;
  }

  // Call Connection::output() at the next flush.
  virtual void wants_output(Connection& connection) = 0;
  // Its numbers go to a TIME-WAIT record, which takes its place in the connection table.
  virtual void enters_time_wait(Connection& connection) = 0;
  // It is CLOSED: out of the connection table.
  virtual void has_ended(Connection& connection) = 0;
  // Neither the user nor the network needs it any more: to be destroyed at the next flush.
  virtual void is_abandoned(Connection& connection) = 0;

 protected:
  ConnectionOwner(Context& the_context, ip::IpLayer& the_ip, const Config& the_config)
      : context(the_context),
        ip(the_ip),
        config(the_config),
        secrets(the_context.random),
        congestion(the_config.congestion_control),
        fast_open_cache(secrets.fast_open_cache_key(), the_config.fast_open.max_servers) {}
  ~ConnectionOwner() = default;

 private:
  SharedOptions latest_options_{Options{}};
};

}  // namespace transom::tcp
