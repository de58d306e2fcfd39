#include "stack/ip/slaac.h"

#include <algorithm>
#include <bit>

namespace transom::ip {

namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::uint32_t kForEver = 0xffffffff;
constexpr std::uint8_t kPrefixLength = 64;  // with an identifier of 64 bits (RFC 4291 §2.5.1)
constexpr int kMaxCollisions = 3;           // IDGEN_RETRIES, RFC 7217 §6; TEMP_IDGEN_RETRIES, RFC 8981 §3.8
constexpr Duration kTwoHours = hours(2);    // RFC 4862 §5.5.3 (e)
constexpr Duration kRegenAdvance = seconds(5);  // RFC 8981 §3.8

Instant after(Instant now, std::uint32_t lifetime) {
  return lifetime == kForEver ? kNever : now + seconds(lifetime);
}

IpAddress with_identifier(const IpPrefix& prefix, std::uint64_t identifier) {
  auto octets = prefix.address.octets();
  for (std::size_t i = 0; i < 8; ++i) octets[8 + i] = static_cast<std::uint8_t>(identifier >> (56 - 8 * i));
  return IpAddress::v6(octets);
}

// RFC 5453 §3 and RFC 4291 §2.6.1: reserved for anycast, and the router of the subnet.
bool is_reserved_identifier(std::uint64_t identifier) {
  return identifier == 0 || (identifier >= 0xfdffffffffffff80ULL && identifier <= 0xfdffffffffffffffULL);
}

}  // namespace

void Slaac::start(link::Interface& interface, const SlaacOptions& options) {
  if (settings_.contains(interface.id())) return;
  settings_[interface.id()] = {options, options.secret ? *options.secret : context_.random.key()};
}

std::size_t Slaac::count(const link::Interface& interface) const {
  return static_cast<std::size_t>(
      std::ranges::count(addresses_, &interface,
                         [](const Address& address) -> const link::Interface* { return address.interface; }));
}

// ---------------------------------------------------------------- forming

// RFC 7217 §5: F(prefix, interface, network, collisions, secret); we know no name of the network.
IpAddress Slaac::make_address(const Address& address) {
  std::uint64_t identifier = 0;
  if (address.is_temporary) {
    do {
      identifier = context_.random.next();
    } while (is_reserved_identifier(identifier));
    return with_identifier(address.prefix, identifier);
  }
  const auto halves = std::bit_cast<std::array<std::uint64_t, 2>>(address.prefix.address.octets());
  std::uint64_t mac = 0;
  for (const std::uint8_t octet : address.interface->mac().octets()) mac = mac << 8 | octet;
  auto tries = static_cast<std::uint64_t>(address.collisions);
  do {
    const std::uint64_t words[] = {halves[0], mac, tries};
    identifier = siphash_words(settings(address).secret, words);
    tries += std::uint64_t{1} << 32;
  } while (is_reserved_identifier(identifier));
  return with_identifier(address.prefix, identifier);
}

void Slaac::form(link::Interface& interface, const IpPrefix& prefix, bool is_temporary, Instant valid,
                 Instant preferred, int collisions) {
  if (count(interface) >= kMaxAddresses) return;
  Address address;
  address.interface = &interface;
  address.prefix = prefix;
  address.is_temporary = is_temporary;
  address.collisions = collisions;
  if (is_temporary) {
    // RFC 8981 §3.4 and §3.8: hosts that start together do not change together.
    const SlaacOptions& options = settings_.at(interface.id()).options;
    const Duration desync = context_.random.between(Duration::zero(), options.temporary_preferred * 2 / 5);
    address.last_valid = context_.now + options.temporary_valid;
    address.last_preferred = context_.now + options.temporary_preferred - desync;
    if (std::min(address.last_preferred, preferred) <= context_.now + kRegenAdvance) return;
  }
  extend(address, valid, preferred);
  address.address = make_address(address);
  const auto added = link_.add_address(interface, {address.address, kPrefixLength},
                                       {.is_temporary = is_temporary, .has_link_prefix = false});
  if (added) addresses_.push_back(address);
}

// RFC 8981 §3.4: a temporary address lives no longer than its prefix, nor than its own limit.
void Slaac::extend(Address& address, Instant valid, Instant preferred) const {
  address.valid_until = std::min(valid, address.last_valid);
  address.preferred_until = std::min(preferred, address.last_preferred);
}

void Slaac::advertised(link::Interface& interface, const IpPrefix& prefix, std::uint32_t valid,
                       std::uint32_t preferred) {
  // RFC 4862 §5.5.3 (c), (d).
  if (!settings_.contains(interface.id()) || preferred > valid || prefix.length != kPrefixLength) return;
  const Instant valid_until = after(context_.now, valid);
  const Instant preferred_until = after(context_.now, preferred);
  bool has_stable = false, has_temporary = false;
  for (Address& address : addresses_) {
    if (address.interface != &interface || address.prefix != prefix) continue;
    has_stable |= !address.is_temporary;
    has_temporary |= address.is_temporary && !address.has_successor;
    // (e): nobody can take an address away at once, as nobody proves to be a router.
    Instant granted = address.valid_until;
    if (valid_until > context_.now + kTwoHours || valid_until > address.valid_until) {
      granted = valid_until;
    } else if (address.valid_until > context_.now + kTwoHours) {
      granted = context_.now + kTwoHours;
    }
    extend(address, granted, preferred_until);
  }
  if (!has_stable && valid != 0) form(interface, prefix, false, valid_until, preferred_until);
  if (!has_temporary && valid != 0 && settings_.at(interface.id()).options.temporary)
    form(interface, prefix, true, valid_until, preferred_until);
  on_timer();
}

// ---------------------------------------------------------------- lifetimes

Instant Slaac::regeneration(const Address& address) const {
  if (!address.is_temporary || address.has_successor || address.preferred_until == kNever) return kNever;
  return address.preferred_until - kRegenAdvance;
}

void Slaac::follow_addresses() {
  if (addresses_.empty()) return;
  timer_.start(context_.timers, context_.now);
}

// RFC 7217 §6, RFC 8981 §3.4: another try, up to three.
void Slaac::replace_duplicates() {
  for (std::size_t i = 0; i < addresses_.size();) {
    const Address old = addresses_[i];
    const link::InterfaceAddress* const entry = old.interface->find_address(old.address);
    const bool is_duplicate = entry != nullptr && entry->state == link::AddressState::kDuplicated;
    // After the last try it stays as it is, so that the next advertisement does not begin again.
    if (entry != nullptr && (!is_duplicate || old.collisions >= kMaxCollisions)) {
      ++i;
      continue;
    }
    addresses_.erase(addresses_.begin() + static_cast<std::ptrdiff_t>(i));
    if (!is_duplicate) continue;  // somebody has removed it
    (void)link_.remove_address(*old.interface, old.address);
    form(*old.interface, old.prefix, old.is_temporary, old.valid_until, old.preferred_until,
         old.collisions + 1);
  }
}

void Slaac::on_timer() {
  replace_duplicates();
  for (std::size_t i = 0; i < addresses_.size();) {
    const Address address = addresses_[i];
    if (address.valid_until <= context_.now) {
      addresses_.erase(addresses_.begin() + static_cast<std::ptrdiff_t>(i));
      (void)link_.remove_address(*address.interface, address.address);
      continue;
    }
    if (regeneration(address) <= context_.now) {
      addresses_[i].has_successor = true;
      // With what the prefix has left, which is what its stable address has.
      const auto stable = std::ranges::find_if(addresses_, [&](const Address& other) {
        return !other.is_temporary && other.interface == address.interface && other.prefix == address.prefix;
      });
      if (stable != addresses_.end())
        form(*address.interface, address.prefix, true, Instant(stable->valid_until),
             Instant(stable->preferred_until));
    }
    link_.set_deprecated(*address.interface, address.address, address.preferred_until <= context_.now);
    ++i;
  }
  restart();
}

void Slaac::restart() {
  Instant next = kNever;
  for (const Address& address : addresses_) {
    next = std::min({next, address.valid_until, regeneration(address)});
    if (address.preferred_until > context_.now) next = std::min(next, address.preferred_until);
  }
  if (next == kNever) return timer_.cancel();
  timer_.start(context_.timers, std::max(next, context_.now));
}

}  // namespace transom::ip
