// A passive open (RFC 9293 §3.9.1.1, §3.10.7.2): a local endpoint, and the queue of connections that wait for
// accept(). Half-open connections are kept by the SynQueue, but for those of fast open, which wait for
// accept() at once.
#pragma once

#include <memory>

#include "stack/base/readiness.h"
#include "stack/base/ring.h"
#include "stack/tcp/fast_open_cookies.h"
#include "stack/tcp/fast_open_queue.h"
#include "stack/tcp/tcp_layer.h"
#include "stack/tcp/types.h"

namespace transom::tcp {

class Core;

class Listener {
 public:
  Listener(Core& core, PortHold hold, std::size_t backlog, const Options& options);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The oldest connection; kWouldBlock when there is none. It belongs to the caller from then on.
  Result<Connection*> accept();
  // Changes the backlog (listen() again). What is queued stays.
  void set_backlog(std::size_t backlog) { backlog_ = backlog; }
  Options& options() { return options_; }
  // Its own keys for fast-open cookies instead of the host's.
  void set_fast_open_keys(const FastOpenKeys& keys) { fast_open_cookies_.emplace(keys); }
  const Endpoint& local() const { return hold_.local(); }
  Readiness readiness() const { return {.readable = !accept_queue_.empty()}; }
  void set_listener(ReadinessListener* listener) { listener_ = listener; }
  // Ends the passive open: queued connections are reset. The pointer is invalid afterwards.
  void close();

  // --- for the layer
  bool dual_stack() const { return hold_.dual_stack(); }
  InterfaceId interface() const { return hold_.interface(); }
  std::size_t backlog() const { return backlog_; }
  std::size_t queued() const { return accept_queue_.size(); }
  // As Linux: the queue may hold one more than the backlog.
  bool is_full() const { return accept_queue_.size() > backlog_; }
  void push(Connection& connection);
  const std::optional<FastOpenCookies>& fast_open_cookies() const { return fast_open_cookies_; }
  // Shared with the connections that are counted: they may outlive the listener.
  const std::shared_ptr<FastOpenQueue>& fast_open_queue() const { return fast_open_queue_; }
  std::size_t half_open = 0;
  Instant last_cookie_sent{};  // cookies are believed only for a while after they were given out
  bool has_sent_cookies = false;

 private:
  Core& core_;
  PortHold hold_;
  std::size_t backlog_;
  Options options_;
  Ring<Connection*> accept_queue_;
  std::optional<FastOpenCookies> fast_open_cookies_;
  std::shared_ptr<FastOpenQueue> fast_open_queue_ = std::make_shared<FastOpenQueue>();
  ReadinessListener* listener_ = nullptr;
};

}  // namespace transom::tcp
