// A shared object that is no congestion control.
extern "C" int nothing() { return 0; }
