/* echo_server TAP ADDRESS KERNEL_ADDRESS: answers on port 7, one client after the other. */
#include <netinet/in.h>
#include <stdio.h>

#include "socket_api/transom.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const char *ours[] = {argv[2], NULL}, *kernels[] = {argv[3], NULL};
  struct transom_config config = {.tap = argv[1], .addresses = ours, .kernel_addresses = kernels};
  char text[65536];
  transom_stack* stack = transom_stack_create(&config, text, sizeof text);
  if (stack == NULL) return fprintf(stderr, "echo_server: %s\n", text), 1;

  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7)};
  int listener = transom_socket(stack, AF_INET, SOCK_STREAM, 0);
  if (transom_bind(stack, listener, (struct sockaddr*)&address, sizeof address) != 0 ||
      transom_listen(stack, listener, 16) != 0)
    return perror("echo_server"), 1;
  for (;;) {
    int client = transom_accept(stack, listener, NULL, NULL);
    if (client < 0) return perror("echo_server: accept"), 1;
    ssize_t size;
    while ((size = transom_recv(stack, client, text, sizeof text, 0)) > 0)
      if (transom_send(stack, client, text, (size_t)size, 0) != size) break;
    transom_close(stack, client);
  }
}
