/* echo_client TAP ADDRESS KERNEL_ADDRESS SERVER PORT TEXT: prints what the server makes of TEXT. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "socket_api/transom.h"

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  const char *ours[] = {argv[2], NULL}, *kernels[] = {argv[3], NULL};
  struct transom_config config = {.tap = argv[1], .addresses = ours, .kernel_addresses = kernels};
  char text[65536];
  transom_stack* stack = transom_stack_create(&config, text, sizeof text);
  if (stack == NULL) return fprintf(stderr, "echo_client: %s\n", text), 1;

  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[5]))};
  int fd = transom_socket(stack, AF_INET, SOCK_STREAM, 0);
  if (inet_pton(AF_INET, argv[4], &server.sin_addr) != 1 ||
      transom_connect(stack, fd, (struct sockaddr*)&server, sizeof server) != 0 ||
      transom_send(stack, fd, argv[6], strlen(argv[6]), 0) < 0 || transom_shutdown(stack, fd, SHUT_WR) != 0)
    return perror("echo_client"), 1;
  ssize_t size;
  while ((size = transom_recv(stack, fd, text, sizeof text, 0)) > 0) fwrite(text, 1, (size_t)size, stdout);
  if (size < 0) perror("echo_client");
  transom_close(stack, fd);
  transom_stack_destroy(stack);
  return size < 0;
}
