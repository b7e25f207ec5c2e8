// SPDX-License-Identifier: GPL-2.0-only
/*
 * LD_PRELOAD=hugepages.so: what a program maps for itself may lie in huge
 * pages. Where the machine gives them only to who asks ("madvise"), a compiler,
 * which does not ask, otherwise spends much of its time in page faults.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORTH_IT	(1 << 20)

void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	void *start = (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);

	if (start != MAP_FAILED && (flags & MAP_ANONYMOUS) && length >= WORTH_IT)
		madvise(start, length, MADV_HUGEPAGE);
	return start;
}

void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
	__attribute__((alias("mmap")));
