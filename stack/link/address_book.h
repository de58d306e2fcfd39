// Taking an address into use, and keeping it: probing first, announcing, defending (RFC 5227 for IPv4; RFC
// 4862 §5.4 and RFC 7527 for IPv6).
//
//   add ─► TENTATIVE ─ nobody objects ─► PREFERRED (announced) ─ claimed again soon after a defence ─┐
//              └ conflict ─► DUPLICATED, until it is removed ◄───────────────────────────────────────┘
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "stack/base/context.h"
#include "stack/base/error.h"
#include "stack/link/arp.h"
#include "stack/link/interface.h"
#include "stack/link/ndp.h"

namespace transom::link {

class AddressBook {
 public:
  AddressBook(Context& context, Arp& arp, Ndp& ndp) : context_(context), arp_(arp), ndp_(ndp) {}
  AddressBook(const AddressBook&) = delete;
  AddressBook& operator=(const AddressBook&) = delete;

  void set_listener(std::function<void()> listener) { listener_ = std::move(listener); }
  Result<void> add(Interface& interface, const IpPrefix& address, const AddressTraits& traits = {});
  // Of a usable address.
  void set_deprecated(Interface& interface, const IpAddress& address, bool is_deprecated);
  Result<void> remove(Interface& interface, const IpAddress& address);

  // Another node speaks as the owner of `address` (an ARP sender, or a neighbour advertisement).
  void conflicting_claim(Interface& interface, const IpAddress& address, const MacAddress& other);
  // Another node probes for it before it takes it into use.
  void conflicting_probe(Interface& interface, const IpAddress& address, const MacAddress& other);
  void conflicting_detection(Interface& interface, const IpAddress& address,
                             const std::optional<Ndp::Nonce>& nonce);

 private:
  // One address on its way to use, or defended.
  struct Entry {
    Entry(AddressBook& the_book, Interface& the_interface, const IpAddress& the_address)
        : book(the_book), interface(the_interface), address(the_address) {}
    void on_timer() { book.step(*this); }

    AddressBook& book;
    Interface& interface;
    IpAddress address;
    int probes_sent = 0;
    int announcements_left = 0;
    Ndp::Nonce nonce{};
    std::optional<Instant> last_conflict{};
    Timer timer{call_member<&Entry::on_timer>, this};
  };
  // RFC 5227 §2.1.1: how IPv4 addresses fared lately on one interface.
  struct History {
    int conflicts = 0;  // since the last address that nobody objected to
    Instant last_attempt{};
  };

  Entry* find(const Interface& interface, const IpAddress& address);
  AddressState state_of(Entry& entry) { return entry.interface.find_address(entry.address)->state; }
  History& history_of(const Interface& interface);
  Instant earliest_start(const Interface& interface, IpFamily family);
  void step(Entry& entry);
  void probe(Entry& entry);
  void become_usable(Entry& entry);
  void become_duplicate(Entry& entry, const MacAddress& other);
  void defend(Entry& entry, const MacAddress& other);
  void announce(Entry& entry);
  void report(const Entry& entry, const MacAddress& other);
  void wait(Entry& entry, Duration duration) { entry.timer.start(context_.timers, context_.now + duration); }
  void changed() {
    if (listener_) listener_();
  }

  Context& context_;
  Arp& arp_;
  Ndp& ndp_;
  std::function<void()> listener_;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::vector<History> histories_;  // by interface
};

}  // namespace transom::link
