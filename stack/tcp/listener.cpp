#include "stack/tcp/listener.h"

#include "stack/tcp/core.h"

namespace transom::tcp {

Listener::Listener(Core& core, PortHold hold, std::size_t backlog, const Options& options)
    : core_(core), hold_(std::move(hold)), backlog_(backlog), options_(options) {}

Result<Connection*> Listener::accept() {
  if (accept_queue_.empty()) return std::unexpected(Error::kWouldBlock);
  Connection* connection = accept_queue_.front();
  accept_queue_.pop_front();
  return connection;
}

void Listener::push(Connection& connection) {
  accept_queue_.push_back(&connection);
  if (listener_ != nullptr) listener_->on_input();
}

void Listener::close() {
  while (!accept_queue_.empty()) {
    accept_queue_.front()->abort();
    accept_queue_.pop_front();
  }
  core_.close(*this);
}

}  // namespace transom::tcp
