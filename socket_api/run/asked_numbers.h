/* Numbers of descriptors whose every call is asked of the supervisor.
 *
 * A filter knows of a descriptor nothing but its number. The kernel can do read() and write() on a pair, but
 * not say with them what a socket of datagrams has to say: that nobody listens where the last one went
 * (ECONNREFUSED), that there is no destination (EDESTADDRREQ). So these sockets, of which a program has few,
 * get numbers of a range of their own, and reading and writing in that range is trapped. It lies below
 * FD_SETSIZE, for select(), and below the usual limit of 1024 open files; where it is full, or not to be had,
 * a socket gets the lowest number as any other, and is then written and read without a word. C, for the
 * preloaded library is. */
#ifndef TRANSOM_RUN_ASKED_NUMBERS_H
#define TRANSOM_RUN_ASKED_NUMBERS_H

enum { TRANSOM_ASKED_FIRST = 960, TRANSOM_ASKED_END = 1024 };

#endif
