// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * perfcount CPU [MS]: count cycles on one CPU for 200 ms, or for MS, while it works, and print the count.
 * Exit status 2: the kernel has no such counter for that CPU.
 */
#define _GNU_SOURCE
#include <err.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void work_for_ms(long ms)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
}

int main(int argc, char **argv)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.disabled = 1,
	};
	cpu_set_t set;
	uint64_t count;
	int cpu, fd;

	if (argc != 2 && argc != 3)
		errx(1, "usage: perfcount CPU [MS]");
	cpu = atoi(argv[1]);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "cannot run on CPU %d", cpu);
	fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, 0);
	if (fd < 0)
		err(2, "perf_event_open on CPU %d", cpu);
	ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
	work_for_ms(argc == 3 ? atoi(argv[2]) : 200);
	ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		err(1, "read the counter");
	printf("%llu\n", (unsigned long long)count);
	return 0;
}
