/* lwIP as a peer of the benchmark: discard on 9, chargen on 19, echo on 7 (TCP and UDP), by its callbacks,
 * which are its fastest interface, and without a hand-over between threads on the way of a packet.
 *
 *   lwip_peer DEVICE ADDRESS       until killed
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <lwip/etharp.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/tcpip.h>
#include <lwip/udp.h>
#include <net/if.h>
#include <netif/ethernet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { kDiscard = 9, kChargen = 19, kEcho = 7, kPiece = 4 * 1460 };

static char text[kPiece];

static err_t refill(void* context, struct tcp_pcb* pcb, u16_t sent) {
  (void)context;
  (void)sent;
  while (tcp_write(pcb, text, kPiece, 0) == ERR_OK) continue;
  tcp_output(pcb);
  return ERR_OK;
}

static err_t take(void* context, struct tcp_pcb* pcb, struct pbuf* packet, err_t error) {
  (void)error;
  if (packet == NULL) return tcp_close(pcb);
  if (context != NULL)
    for (struct pbuf* part = packet; part != NULL; part = part->next)
      tcp_write(pcb, part->payload, part->len, TCP_WRITE_FLAG_COPY);
  tcp_recved(pcb, packet->tot_len);
  if (context != NULL) tcp_output(pcb);
  pbuf_free(packet);
  return ERR_OK;
}

static err_t accept_one(void* context, struct tcp_pcb* pcb, err_t error) {
  if (error != ERR_OK || pcb == NULL) return ERR_VAL;
  const int port = *(const int*)context;
  tcp_arg(pcb, port == kEcho ? context : NULL);
  tcp_recv(pcb, take);
  if (port == kChargen) {
    tcp_sent(pcb, refill);
    refill(NULL, pcb, 0);
  }
  return ERR_OK;
}

static void echo_datagram(void* context, struct udp_pcb* pcb, struct pbuf* packet, const ip_addr_t* from,
                          u16_t port) {
  (void)context;
  udp_sendto(pcb, packet, from, port);
  pbuf_free(packet);
}

/* A TAP interface of our own: the one that comes with the library of Debian writes beyond its buffers. */
static int tap = -1;

static err_t transmit(struct netif* interface, struct pbuf* packet) {
  char frame[2048];
  (void)interface;
  const u16_t size = pbuf_copy_partial(packet, frame, sizeof frame, 0);
  return write(tap, frame, size) == size ? ERR_OK : ERR_IF;
}

static err_t open_tap(struct netif* interface) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", (const char*)interface->state);
  tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (tap < 0 || ioctl(tap, TUNSETIFF, &request) != 0) return ERR_IF;
  interface->name[0] = 't';
  interface->name[1] = 'p';
  interface->output = etharp_output;
  interface->linkoutput = transmit;
  interface->mtu = 1500;
  interface->hwaddr_len = 6;
  memcpy(interface->hwaddr, "\x02\0\0\0\0\x02", 6);
  interface->flags |= NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
  return ERR_OK;
}

static void receive_for_ever(struct netif* interface) {
  static char frame[2048];
  struct pollfd entry = {.fd = tap, .events = POLLIN};
  for (;;) {
    ssize_t size;
    poll(&entry, 1, -1);
    LOCK_TCPIP_CORE();
    while ((size = read(tap, frame, sizeof frame)) > 0) {
      struct pbuf* const packet = pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_RAM);
      if (packet == NULL) continue;
      pbuf_take(packet, frame, (u16_t)size);
      if (ethernet_input(packet, interface) != ERR_OK) pbuf_free(packet);
    }
    UNLOCK_TCPIP_CORE();
  }
}

static void started(void* context) { *(volatile int*)context = 1; }

int main(int argc, char** argv) {
  static const int ports[] = {kDiscard, kChargen, kEcho};
  static struct netif interface;
  ip4_addr_t address, mask, gateway;
  if (argc != 3 || ip4addr_aton(argv[2], &address) == 0) {
    fprintf(stderr, "usage: lwip_peer DEVICE ADDRESS\n");
    return 2;
  }
  volatile int is_started = 0;
  tcpip_init(started, (void*)&is_started);
  while (!is_started) usleep(1000);
  IP4_ADDR(&mask, 255, 255, 255, 0);
  IP4_ADDR(&gateway, 0, 0, 0, 0);
  LOCK_TCPIP_CORE();
  if (netif_add(&interface, &address, &mask, &gateway, argv[1], open_tap, ethernet_input) == NULL) {
    perror(argv[1]);
    return 1;
  }
  netif_set_default(&interface);
  netif_set_up(&interface);
  netif_set_link_up(&interface);
  for (int i = 0; i < 3; ++i) {
    struct tcp_pcb* listener = tcp_new();
    tcp_bind(listener, IP_ADDR_ANY, (u16_t)ports[i]);
    listener = tcp_listen(listener);
    tcp_arg(listener, (void*)&ports[i]);
    tcp_accept(listener, accept_one);
  }
  struct udp_pcb* const datagrams = udp_new();
  udp_bind(datagrams, IP_ADDR_ANY, kEcho);
  udp_recv(datagrams, echo_datagram, NULL);
  UNLOCK_TCPIP_CORE();
  puts("ready");
  fflush(stdout);
  receive_for_ever(&interface);
}
