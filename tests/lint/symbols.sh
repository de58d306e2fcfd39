#!/usr/bin/env bash
# Fails when transom_stack imports a clock, thread, file, socket or entropy symbol: tests/lint/symbols.sh LIBRARY
#
# A stack that asks for nothing runs the same on a TAP device, in a simulation, under a replay and under a fuzzer.
set -euo pipefail
library=$1
forbidden='^(clock_|time$|gettimeofday|nanosleep|usleep|sleep$|times$|localtime|gmtime|std::chrono::.*::now|pthread_|std::thread|std::mutex|std::condition_variable|sem_|open(64|at)?$|fopen|fdopen|read$|write$|readv|writev|close$|pread|pwrite|std::basic_.*fstream|std::filebuf|ioctl|poll$|ppoll|select$|epoll_|socket|bind$|listen$|accept|connect$|send(to|msg|mmsg)?$|recv(from|msg|mmsg)?$|getaddrinfo|getrandom|getentropy|rand(om)?$|srand|drand48|arc4random|std::random_device|fork|exec|system$|getenv|syscall$)'
imported=$(nm -C --undefined-only "$library" | awk '$1 == "U" { $1 = ""; print substr($0, 2) }' | sed 's/@.*//; s/(.*//' | sort -u)
[ -n "$imported" ] || { echo "nm found no symbols in $library"; exit 1; }
if found=$(grep -E "$forbidden" <<<"$imported"); then
  echo "$library imports what the stack may not use:"
  echo "$found"
  exit 1
fi
echo "$(wc -l <<<"$imported") imported symbols, none of them a clock, thread, file, socket or entropy"
