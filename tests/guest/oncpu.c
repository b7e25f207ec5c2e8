// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * oncpu CPU [online]: wait until the CPU can be run on, and run there.
 *
 * With "online" it brings the CPU online itself, as soon as there is a file to
 * do that with. What it says is for whoever watches the time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CPUS	1024
#define NAP	200	/* us */

static int bring_online(const char *cpu)
{
	char path[64];
	int fd, done;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%s/online", cpu);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return 0;
	done = write(fd, "1", 1) == 1;
	close(fd);
	return done;
}

int main(int argc, char **argv)
{
	int wanted = argc == 3 && !strcmp(argv[2], "online");
	size_t size = CPU_ALLOC_SIZE(CPUS);
	cpu_set_t *set = CPU_ALLOC(CPUS);

	if (argc != 2 && !wanted) {
		fprintf(stderr, "usage: oncpu CPU [online]\n");
		return 2;
	}
	CPU_ZERO_S(size, set);
	CPU_SET_S(atoi(argv[1]), size, set);

	dprintf(STDOUT_FILENO, "oncpu %s: waiting\n", argv[1]);
	while (sched_setaffinity(0, size, set)) {
		if (wanted && bring_online(argv[1]))
			wanted = 0;
		else
			usleep(NAP);
	}
	dprintf(STDOUT_FILENO, "oncpu %s: running\n", argv[1]);
	return 0;
}
