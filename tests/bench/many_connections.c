/* many_connections COUNT: that many TCP connections at once, through transom.h and over the loopback
 * interface of one stack. A line goes through each and back. Prints what one costs in memory, both of its
 * ends together. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "socket_api/transom.h"

enum { kPerListener = 20000 }; /* fewer than there are ephemeral ports */

static long resident(void) { /* octets */
  FILE* const file = fopen("/proc/self/status", "r");
  char line[256];
  long size = 0;
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "VmRSS: %ld", &size) == 1) break;
  }
  if (file != NULL) fclose(file);
  return size * 1024;
}

static void must(int is_well, const char* what, int number) {
  if (is_well) return;
  fprintf(stderr, "many_connections: %s of connection %d: %s\n", what, number, strerror(errno));
  exit(1);
}

static void pass_a_line(transom_stack* stack, int from, int to, int number) {
  char text[32], got[32];
  const int size = snprintf(text, sizeof text, "line %d\n", number);
  must(transom_send(stack, from, text, (size_t)size, 0) == size, "send()", number);
  must(transom_recv(stack, to, got, sizeof got, 0) == size && memcmp(text, got, (size_t)size) == 0, "recv()",
       number);
}

int main(int argc, char** argv) {
  const int count = argc == 2 ? atoi(argv[1]) : 0;
  if (count <= 0) return fprintf(stderr, "usage: many_connections COUNT\n"), 2;
  const struct transom_config config = {0};
  transom_stack* const stack = transom_stack_create(&config, NULL, 0);
  must(stack != NULL, "the stack", 0);
  int* const clients = calloc((size_t)count, sizeof *clients);
  int* const servers = calloc((size_t)count, sizeof *servers);
  must(clients != NULL && servers != NULL, "memory", 0);

  const long before = resident();
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int listener = -1;
  for (int i = 0; i < count; ++i) {
    if (i % kPerListener == 0) {
      address.sin_port = htons((uint16_t)(1000 + i / kPerListener));
      listener = transom_socket(stack, AF_INET, SOCK_STREAM, 0);
      must(transom_bind(stack, listener, (const struct sockaddr*)&address, sizeof address) == 0, "bind()", i);
      must(transom_listen(stack, listener, 16) == 0, "listen()", i);
    }
    clients[i] = transom_socket(stack, AF_INET, SOCK_STREAM, 0);
    must(transom_connect(stack, clients[i], (const struct sockaddr*)&address, sizeof address) == 0,
         "connect()", i);
    servers[i] = transom_accept(stack, listener, NULL, NULL);
    must(servers[i] >= 0, "accept()", i);
  }
  const long idle = resident();
  for (int i = 0; i < count; ++i) {
    pass_a_line(stack, clients[i], servers[i], i);
    pass_a_line(stack, servers[i], clients[i], i);
  }
  const long used = resident();
  printf("%d connections: %ld octets each, %ld after a line each way\n", count, (idle - before) / count,
         (used - before) / count);
  for (int i = 0; i < count; ++i) {
    transom_close(stack, clients[i]);
    transom_close(stack, servers[i]);
  }
  transom_stack_destroy(stack);
  free(clients);
  free(servers);
  return 0;
}
