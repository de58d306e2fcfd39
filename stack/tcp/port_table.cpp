#include "stack/tcp/port_table.h"

#include <algorithm>
#include <utility>

namespace transom::tcp {

// ---------------------------------------------------------------- PortHold

PortHold::PortHold(PortHold&& other) noexcept { *this = std::move(other); }

PortHold& PortHold::operator=(PortHold&& other) noexcept {
  std::swap(table_, other.table_);
  std::swap(local_, other.local_);
  std::swap(interface_, other.interface_);
  std::swap(dual_stack_, other.dual_stack_);
  std::swap(claim_, other.claim_);
  return *this;
}

PortHold::~PortHold() {
  if (table_ != nullptr) table_->release(*this);
}

// ---------------------------------------------------------------- PortTable

bool PortTable::overlap(const Claim& a, const Claim& b) {
  if (a.interface != InterfaceId::kAny && b.interface != InterfaceId::kAny && a.interface != b.interface)
    return false;
  const auto covers = [](const Claim& wide, const Claim& other) {
    if (!wide.local.address.is_unspecified()) return false;
    return wide.local.address.family() == other.local.address.family() ||
           (wide.local.address.is_v6() && wide.dual_stack);
  };
  return a.local.address == b.local.address || covers(a, b) || covers(b, a);
}

bool PortTable::conflicts(const Claim& wanted) const {
  const std::uint16_t port = to_number(wanted.local.port);
  if (users_[port] > 0 && !wanted.reuse_address && !wanted.reuse_port) return true;
  const auto found = claims_.find(port);
  if (found == claims_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const Claim& claim) {
    if (!overlap(claim, wanted)) return false;
    const bool may_share_address = claim.reuse_address && wanted.reuse_address && !claim.is_listening;
    const bool may_share_port = claim.reuse_port && wanted.reuse_port;
    return !may_share_address && !may_share_port;
  });
}

Result<PortHold> PortTable::bind(const BindRequest& request) {
  Claim claim{request.local, request.interface, request.dual_stack, request.reuse_address, request.reuse_port,
              false,         next_claim_++};
  if (request.local.port == Port::kNone) {
    const std::uint32_t count = config_.last_ephemeral_port - config_.first_ephemeral_port + 1U;
    const auto start = static_cast<std::uint32_t>(random_.below(count));
    std::uint32_t tried = 0;
    do {
      if (tried == count) return std::unexpected(Error::kAddressInUse);
      claim.local.port = static_cast<Port>(config_.first_ephemeral_port + (start + tried++) % count);
    } while (claims_.contains(to_number(claim.local.port)) || users_[to_number(claim.local.port)] > 0);
  } else if (conflicts(claim)) {
    return std::unexpected(Error::kAddressInUse);
  }
  claims_[to_number(claim.local.port)].push_back(claim);
  PortHold hold;
  hold.table_ = this;
  hold.local_ = claim.local;
  hold.interface_ = claim.interface;
  hold.dual_stack_ = claim.dual_stack;
  hold.claim_ = claim.id;
  return hold;
}

std::vector<PortTable::Claim>::iterator PortTable::find(std::vector<Claim>& claims, const PortHold& hold) {
  return std::find_if(claims.begin(), claims.end(),
                      [&](const Claim& claim) { return claim.id == hold.claim_; });
}

Result<void> PortTable::listen(const PortHold& hold) {
  auto& claims = claims_[to_number(hold.local_.port)];
  const auto mine = find(claims, hold);
  for (const Claim& claim : claims) {
    const bool may_share = claim.reuse_port && mine->reuse_port;
    if (claim.is_listening && &claim != &*mine && overlap(claim, *mine) && !may_share)
      return std::unexpected(Error::kAddressInUse);
  }
  mine->is_listening = true;
  return {};
}

void PortTable::release(const PortHold& hold) {
  const auto found = claims_.find(to_number(hold.local_.port));
  found->second.erase(find(found->second, hold));
  if (found->second.empty()) claims_.erase(found);
}

}  // namespace transom::tcp
