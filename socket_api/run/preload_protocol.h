/* What the preloaded library and the supervisor say to each other: one request and its answer on a connection
 * of its own, in datagrams of a SOCK_SEQPACKET. C, for the library is. */
#ifndef TRANSOM_RUN_PRELOAD_PROTOCOL_H
#define TRANSOM_RUN_PRELOAD_PROTOCOL_H

#include <stdint.h>

/* An abstract name: it belongs to the network namespace, and is found after chroot, setuid and exec as well.
 */
#define TRANSOM_PRELOAD_NAME "\0transom-run"

struct transom_request {
  int64_t number; /* of the system call */
  uint64_t arguments[6];
};

enum transom_answer_kind {
  TRANSOM_FINISH,  /* the call's result is `value`, or -1 and `error` */
  TRANSOM_RESUME,  /* the kernel is to do it */
  TRANSOM_GIVE,    /* the result is the descriptor that comes with this; value: enum transom_giving */
  TRANSOM_REPLACE, /* the descriptor that comes with this takes the place of number `value`; more follows */
};

enum transom_giving {
  TRANSOM_CLOSE_ON_EXEC = 1,
  TRANSOM_ASKED_NUMBER = 2, /* asked_numbers.h */
};

struct transom_answer {
  int64_t value;
  int32_t error;
  int32_t kind;
};

#endif
