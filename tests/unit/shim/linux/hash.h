/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _LINUX_HASH_H
#define _LINUX_HASH_H

/* Fibonacci hashing: 2^64 divided by the golden ratio */
static inline u32 hash_64(u64 val, unsigned int bits)
{
	return val * 0x9e3779b97f4a7c15ULL >> (64 - bits);
}

#endif
