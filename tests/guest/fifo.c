// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fifo COMMAND [ARG...]: run it as a real-time task, which leaves its CPU to
 * no other until it sleeps.
 */
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sched_param param = { .sched_priority = 1 };

	if (argc < 2) {
		fprintf(stderr, "usage: fifo COMMAND [ARG...]\n");
		return 2;
	}
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		err(1, "SCHED_FIFO");
	execvp(argv[1], argv + 1);
	err(127, "%s", argv[1]);
}
