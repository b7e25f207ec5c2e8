// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fragment: leave much memory free, and no block of 64 KB in it.
 *
 * Fill memory with the buffers of pipes, which are single pages that the kernel
 * cannot move. One page of 16 is kept, the others are read again: between two
 * pages that are kept there is room for blocks of 32 KB, which processes need,
 * and not for 64 KB. Blocks of 64 KB that are free nevertheless are taken by the
 * tables of further pipes.
 *
 * Says "fragmented", and keeps the memory until it is killed.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define PAGE		4096
#define PIPE_PAGES	256		/* the most that a pipe has without a larger limit */
#define TABLE_PAGES	1024		/* of 40 bytes each: a block of 64 KB */
#define GROUP		16		/* pages, of which one is kept */
#define IN_VAIN		200		/* the kernel makes room now and then, not at each try */

struct pipe {
	int out, in;
};

static struct pipe open_pipe(int pages)
{
	int fds[2];

	if (pipe2(fds, O_NONBLOCK))
		err(1, "pipe");
	if (pages && fcntl(fds[1], F_SETPIPE_SZ, pages * PAGE) < 0)
		err(1, "F_SETPIPE_SZ");
	return (struct pipe) { fds[0], fds[1] };
}

static size_t free_bytes(void)
{
	struct sysinfo info;

	if (sysinfo(&info))
		err(1, "sysinfo");
	return info.freeram * info.mem_unit;
}

static size_t reserve(void)
{
	FILE *file = fopen("/proc/sys/vm/min_free_kbytes", "r");
	unsigned long kb;

	if (!file || fscanf(file, "%lu", &kb) != 1)
		err(1, "min_free_kbytes");
	fclose(file);
	return kb * 1024 * 4;		/* with less, processes may be killed for more */
}

static void set(const char *path, long value)
{
	FILE *file = fopen(path, "w");

	if (!file || fprintf(file, "%ld\n", value) < 0 || fclose(file))
		err(1, "%s", path);
}

struct pipes {
	struct pipe *pipe;
	size_t nr, pages;
};

static struct pipes open_pipes(size_t pages)
{
	struct pipes pipes = { .nr = pages / PIPE_PAGES + 1 };
	size_t i;

	pipes.pipe = calloc(pipes.nr, sizeof(*pipes.pipe));
	if (!pipes.pipe)
		err(1, "calloc");
	for (i = 0; i < pipes.nr; i++)
		pipes.pipe[i] = open_pipe(PIPE_PAGES);
	return pipes;
}

/* Fills one more page; false if there is no room for it. */
static int fill_page(struct pipes *pipes)
{
	static char page[PAGE];
	size_t i = pipes->pages / PIPE_PAGES;

	if (i == pipes->nr)
		return 0;
	if (write(pipes->pipe[i].in, page, PAGE) != PAGE)
		err(1, "write");
	pipes->pages++;
	return 1;
}

static void drop_pages(struct pipes *pipes)
{
	static char page[PAGE];
	size_t i;

	for (i = 0; i < pipes->nr; i++)
		while (read(pipes->pipe[i].out, page, PAGE) > 0)
			;
}

int main(void)
{
	struct rlimit files = { 65536, 65536 };
	size_t least = reserve(), pages = free_bytes() / PAGE, n = 0;
	struct pipes kept, dropped;
	struct pipe table;
	int failed = 0;

	if (setrlimit(RLIMIT_NOFILE, &files))
		err(1, "RLIMIT_NOFILE");
	set("/proc/sys/fs/pipe-max-size", TABLE_PAGES * PAGE);
	/* Or the reserve grows while memory becomes fragmented */
	set("/proc/sys/vm/watermark_boost_factor", 0);

	kept = open_pipes(pages / GROUP);
	dropped = open_pipes(pages);
	while (free_bytes() >= least)
		if (!fill_page(n++ % GROUP ? &dropped : &kept))
			break;
	drop_pages(&dropped);

	while (failed < IN_VAIN) {
		table = open_pipe(0);
		if (fcntl(table.in, F_SETPIPE_SZ, TABLE_PAGES * PAGE) > 0)
			continue;
		if (errno != ENOMEM)
			err(1, "F_SETPIPE_SZ");
		failed++;
		close(table.in);
		close(table.out);
	}
	printf("fragmented: %zu KB free\n", free_bytes() / 1024);
	fflush(stdout);
	pause();
	return 0;
}
