/* probe_kernel, probe_native [NAME...]: runs the probes, each in a process of its own, and prints their lines
 * in the order of their names. */
#include <stdarg.h>
#include <sys/wait.h>

#include "probe.h"

/* This file's own calls are the system's in both programs. */
#ifdef PROBE_NATIVE
#undef close
#undef fcntl
#undef read
#undef write
#undef poll
#endif

enum { kMostProbes = 512, kLine = 2048, kAtOnce = 8, kSeconds = 5 };

struct probe {
  const char* name;
  void (*function)(void);
  pid_t process;
  int output;
  size_t length;
  char line[kLine];
};

static struct probe probes[kMostProbes];
static int probe_count = 0;
static int line_output = 1;

void add_probe(const char* name, void (*function)(void)) {
  if (probe_count < kMostProbes) probes[probe_count++] = (struct probe){.name = name, .function = function};
}

void say(const char* format, ...) {
  char text[512] = " ";
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(text + 1, sizeof text - 1, format, arguments);
  va_end(arguments);
  const size_t size = 1 + (size_t)(length < (int)sizeof text - 2 ? length : (int)sizeof text - 2);
  if (write(line_output, text, size) < 0) _exit(1);
}

static int by_name(const void* left, const void* right) {
  return strcmp(((const struct probe*)left)->name, ((const struct probe*)right)->name);
}

static void start(struct probe* probe) {
  int ends[2];
  if (pipe(ends) != 0) exit(1);
  /* Out of the way of the numbers that a probe expects of its own descriptors. */
  const int output = fcntl(ends[1], F_DUPFD_CLOEXEC, 900);
  close(ends[1]);
  probe->process = fork();
  if (probe->process == 0) {
    line_output = output;
    setpgid(0, 0);
    prepare_probes();
    probe->function();
    _exit(0);
  }
  setpgid(probe->process, probe->process);
  close(output);
  probe->output = ends[0];
}

static void add_text(struct probe* probe, const char* text) {
  const size_t left = kLine - 1 - probe->length;
  const size_t size = strlen(text) < left ? strlen(text) : left;
  memcpy(probe->line + probe->length, text, size);
  probe->length += size;
}

static void finish(struct probe* probe) {
  int status = 0;
  const time_t limit = time(NULL) + kSeconds;
  while (1) {
    struct pollfd entry = {.fd = probe->output, .events = POLLIN};
    const time_t left = limit - time(NULL);
    if (left <= 0 || poll(&entry, 1, (int)left * 1000) == 0) {
      add_text(probe, " HANGS");
      break;
    }
    const ssize_t size = read(probe->output, probe->line + probe->length, kLine - 1 - probe->length);
    if (size <= 0) break;
    probe->length += (size_t)size;
  }
  kill(-probe->process, SIGKILL);
  waitpid(probe->process, &status, 0);
  close(probe->output);
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
    char text[64];
    snprintf(text, sizeof text, " killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
    add_text(probe, text);
  }
  printf("%s:%s\n", probe->name, probe->line);
}

int main(int count, char** arguments) {
  qsort(probes, (size_t)probe_count, sizeof probes[0], by_name);
  int wanted[kMostProbes], wanted_count = 0;
  for (int i = 0; i < probe_count; ++i) {
    int is_wanted = count < 2;
    for (int j = 1; j < count; ++j) is_wanted |= strcmp(arguments[j], probes[i].name) == 0;
    if (is_wanted) wanted[wanted_count++] = i;
  }
  fflush(stdout);
  int started = 0;
  for (int done = 0; done < wanted_count; ++done) {
    while (started < wanted_count && started - done < kAtOnce) start(&probes[wanted[started++]]);
    finish(&probes[wanted[done]]);
    fflush(stdout);
  }
  return 0;
}
