// Taking an address into use, and keeping it: probing first, announcing, defending (RFC 5227 for IPv4; RFC
// 4862 §5.4 and RFC 7527 for IPv6).
//
//   add ─► TENTATIVE ─ nobody objects ─► PREFERRED (announced)
//              └ conflict ─► DUPLICATED, for good
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
  Result<void> add(Interface& interface, const IpPrefix& address);
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
    int announcements_sent = 0;
    Ndp::Nonce nonce{};
    std::optional<Instant> last_defence{};
    Timer timer{call_member<&Entry::on_timer>, this};
  };

  Entry* find(const Interface& interface, const IpAddress& address);
  void step(Entry& entry);
  void step_ipv4(Entry& entry);
  void step_ipv6(Entry& entry);
  void announce_ipv4(Entry& entry);
  void become_usable(Entry& entry);
  void become_duplicate(Entry& entry, const MacAddress& other);
  void wait(Entry& entry, Duration duration) { entry.timer.start(context_.timers, context_.now + duration); }
  void changed() {
    if (listener_) listener_();
  }

  Context& context_;
  Arp& arp_;
  Ndp& ndp_;
  std::function<void()> listener_;
  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace transom::link
