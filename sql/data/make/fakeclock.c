/* Preloaded library: shifts the calendar clock of a program by the offset (in
 * nanoseconds, one 64-bit number) in the file named by FAKECLOCK_FILE. The file
 * is mapped, so writing to it moves the clocks of all programs at once. The
 * monotonic clock is left alone: timeouts and measured durations stay real. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *offset;

__attribute__((constructor)) static void init(void) {
    int fd = open(getenv("FAKECLOCK_FILE"), O_RDONLY);
    void *p = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) abort();
    offset = p;
    close(fd);
}

int clock_gettime(clockid_t id, struct timespec *ts) {
    if (syscall(SYS_clock_gettime, id, ts)) return -1;
    if ((id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) && offset) {
        long long ns = ts->tv_sec * 1000000000LL + ts->tv_nsec + *offset;
        ts->tv_sec = ns / 1000000000LL;
        ts->tv_nsec = ns % 1000000000LL;
    }
    return 0;
}

int gettimeofday(struct timeval *tv, void *tz) {
    struct timespec ts;
    (void)tz;
    if (clock_gettime(CLOCK_REALTIME, &ts)) return -1;
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *t) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (t) *t = ts.tv_sec;
    return ts.tv_sec;
}
