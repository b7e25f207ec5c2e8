// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpfcount attach FUNCTION   count the calls of a kernel function on each CPU until killed: a BPF program
 *                            on a kprobe, that counts in a per-CPU map
 * bpfcount read              print the counts so far, one for each possible CPU
 *
 * The map is pinned, so /sys/fs/bpf must be mounted.
 */
#define _GNU_SOURCE
#include <err.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIN "/sys/fs/bpf/counts"

#define INSN(c, d, s, o, i) ((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })

static const union bpf_attr zeroes;	/* the kernel wants those in all that a command does not use */

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int create_map(void)
{
	union bpf_attr attr = zeroes;
	int fd;

	attr.map_type = BPF_MAP_TYPE_PERCPU_ARRAY;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = sizeof(uint64_t);
	attr.max_entries = 1;
	fd = bpf(BPF_MAP_CREATE, &attr);
	if (fd < 0)
		err(1, "create a map");
	return fd;
}

/* One more in this CPU's value of the map's only key. */
static int load_program(int map)
{
	struct bpf_insn program[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -4),
		INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 3, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_0, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, 1),
		INSN(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_0, BPF_REG_1, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr = zeroes;
	int fd;

	attr.prog_type = BPF_PROG_TYPE_KPROBE;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = sizeof(program) / sizeof(program[0]);
	attr.license = (uintptr_t)"GPL";
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		err(1, "load the program");
	return fd;
}

/* The program of a probe runs wherever the function is called, whatever CPU the event is for. */
static void attach(const char *function)
{
	struct perf_event_attr event = { .size = sizeof(event) };
	union bpf_attr pin = zeroes;
	FILE *type = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	int fd, map = create_map();

	if (!type || fscanf(type, "%u", &event.type) != 1)
		err(1, "no kprobe events");
	event.kprobe_func = (uintptr_t)function;
	fd = syscall(SYS_perf_event_open, &event, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		err(1, "probe %s", function);
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, load_program(map)) || ioctl(fd, PERF_EVENT_IOC_ENABLE, 0))
		err(1, "attach to %s", function);
	pin.pathname = (uintptr_t)PIN;
	pin.bpf_fd = map;
	if (bpf(BPF_OBJ_PIN, &pin))
		err(1, "pin the map to %s", PIN);
	for (;;)
		pause();
}

static int possible_cpus(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/possible", "re");
	int first, last;

	switch (f ? fscanf(f, "%d-%d", &first, &last) : 0) {
	case 1:
		return first + 1;
	case 2:
		return last + 1;
	default:
		errx(1, "how many CPUs are possible?");
	}
}

static void print_counts(void)
{
	int i, cpus = possible_cpus();
	uint64_t *counts = calloc(cpus, sizeof(*counts));
	union bpf_attr get = zeroes, lookup = zeroes;
	uint32_t key = 0;
	int fd;

	get.pathname = (uintptr_t)PIN;
	fd = bpf(BPF_OBJ_GET, &get);
	if (fd < 0)
		err(1, "%s", PIN);
	lookup.map_fd = fd;
	lookup.key = (uintptr_t)&key;
	lookup.value = (uintptr_t)counts;
	if (!counts || bpf(BPF_MAP_LOOKUP_ELEM, &lookup))
		err(1, "read the map");
	for (i = 0; i < cpus; i++)
		printf("%llu%c", (unsigned long long)counts[i], i == cpus - 1 ? '\n' : ' ');
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "attach"))
		attach(argv[2]);
	if (argc != 2 || strcmp(argv[1], "read"))
		errx(1, "usage: bpfcount attach FUNCTION, or bpfcount read");
	print_counts();
	return 0;
}
