// Addresses formed from the prefixes that routers advertise (RFC 4862 §5.5): one that stays the same on this
// network (RFC 7217), and, if wanted, temporary ones that change (RFC 8981).
//
//   advertised prefix ─► address, detected for duplicates by the link layer ─► preferred
//        └ lifetimes run ─► deprecated: for what exists already ─► removed
//
// A stable identifier is a keyed hash of the prefix, the interface, and how often it collided; without the
// key it says nothing about us on another network. A temporary one is random, and a new one takes over before
// the old is deprecated.
#pragma once

#include <map>
#include <vector>

#include "stack/base/context.h"
#include "stack/link/link_layer.h"

namespace transom::ip {

struct SlaacOptions {
  // RFC 7217 §5: the secret key. The same key gives the same addresses. None: made at random.
  std::optional<SipKey> secret = std::nullopt;
  bool temporary = true;
  Duration temporary_valid = std::chrono::hours(48);      // RFC 8981 §3.8
  Duration temporary_preferred = std::chrono::hours(24);  // RFC 8981 §3.8
};

class Slaac {
 public:
  static constexpr std::size_t kMaxAddresses = 16;  // per interface; as Linux

  Slaac(Context& context, link::LinkLayer& link) : context_(context), link_(link) {}
  Slaac(const Slaac&) = delete;
  Slaac& operator=(const Slaac&) = delete;

  void start(link::Interface& interface, const SlaacOptions& options);
  // A prefix with the autonomous flag; lifetimes in seconds, 0xffffffff for ever.
  void advertised(link::Interface& interface, const IpPrefix& prefix, std::uint32_t valid,
                  std::uint32_t preferred);
  // Addresses have come, gone, or turned out to be another's. May be called from inside of the link layer.
  void follow_addresses();

 private:
  struct Address {
    link::Interface* interface = nullptr;
    IpPrefix prefix;
    IpAddress address;
    bool is_temporary = false;
    int collisions = 0;
    Instant valid_until = kNever;
    Instant preferred_until = kNever;
    // Of a temporary address: never beyond these, and when the next is made (RFC 8981 §3.4).
    Instant last_valid = kNever;
    Instant last_preferred = kNever;
    bool has_successor = false;
  };
  struct Settings {
    SlaacOptions options;
    SipKey secret;
  };

  const Settings& settings(const Address& address) const { return settings_.at(address.interface->id()); }
  std::size_t count(const link::Interface& interface) const;
  void form(link::Interface& interface, const IpPrefix& prefix, bool is_temporary, Instant valid,
            Instant preferred, int collisions = 0);
  IpAddress make_address(const Address& address);
  void extend(Address& address, Instant valid, Instant preferred) const;
  Instant regeneration(const Address& address) const;
  void replace_duplicates();
  void on_timer();
  void restart();

  Context& context_;
  link::LinkLayer& link_;
  std::map<InterfaceId, Settings> settings_;
  std::vector<Address> addresses_;
  Timer timer_{call_member<&Slaac::on_timer>, this};
};

}  // namespace transom::ip
