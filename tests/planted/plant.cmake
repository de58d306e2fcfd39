# cmake -D FROM=connection_input.cpp -D TO=... -P plant.cmake: a reset anywhere in the window ends the connection, which RFC 5961 §3.2
# forbids.
set(correct "if (segment.header.sequence != receiver_.nxt()) {")
set(planted "if (!receiver_.is_in_window(segment.header.sequence)) {")
file(READ ${FROM} text)
string(FIND "${text}" "${correct}" first)
string(FIND "${text}" "${correct}" last REVERSE)
if(first EQUAL -1 OR NOT first EQUAL last)
  message(FATAL_ERROR "${FROM} has not exactly one '${correct}': change plant.cmake to what on_reset() does now")
endif()
string(REPLACE "${correct}" "${planted}" text "${text}")
file(WRITE ${TO} "${text}")
