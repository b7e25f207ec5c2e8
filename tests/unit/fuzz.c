// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What firmware hands us, for libFuzzer: a MADT, and the _MAT of one of its
 * CPUs. tools/fuzz builds and runs it.
 */
#include "gicc_check.h"

/* An input: this, then the MADT behind its table header, then the _MAT */
struct input {
	u8 policy;	/* bits 0-1: disabled, 2: hotplug, 3: a hypervisor,
			 * 4-7: ids that can be used, 0: as many as room */
	u8 fadt;	/* version, a nibble each */
	u8 room;	/* for CPUs, less one */
	u8 beyond;	/* bytes behind the table's length */
	u8 mat;		/* size of the _MAT */
	u8 cpu;		/* whose _MAT it is */
	u64 boot_mpidr;
} __attribute__((packed));

/* More than there are GICCs in the longest input */
#define ROOM 64

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Function names without llvm-symbolizer too; a small quarantine is faster */
const char *__asan_default_options(void)
{
	return "allow_addr2line=1:quarantine_size_mb=16";
}

const char *__ubsan_default_options(void)
{
	return "print_stacktrace=1";
}

/* The table in memory of its own; what is beyond its length must not be read */
static struct acpi_table_madt *make_table(const u8 *from, size_t size,
					  size_t beyond)
{
	struct acpi_table_header *table = malloc(sizeof(*table) + size);

	memset(table, 0, sizeof(*table));
	memcpy(table + 1, from, size);
	table->length = sizeof(*table) + size - beyond;
	ASAN_POISON_MEMORY_REGION((u8 *)table + table->length, beyond);
	return (void *)table;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct acpi_gicc_inventory inv = { };
	struct acpi_gicc_policy policy = { };
	struct acpi_table_madt *table;
	struct input in;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	data += sizeof(in);
	size -= sizeof(in);
	in.mat = min_t(size_t, in.mat, size);
	size -= in.mat;

	inv.max = 1 + in.room % ROOM;
	inv.limit = in.policy >> 4 ? min_t(u32, in.policy >> 4, inv.max) :
				     inv.max;
	policy.disabled = (in.policy & 3) % (ACPI_GICC_DISABLED_HOTPLUG + 1);
	policy.hotplug = in.policy & 4;
	policy.hypervisor_id = in.policy & 8 ? 1 : 0;
	policy.fadt_major = in.fadt >> 4;
	policy.fadt_minor = in.fadt & 0xf;

	table = make_table(data, size, min_t(size_t, in.beyond, size));
	build_checked(&inv, table, in.boot_mpidr & MPIDR_HWID_BITMASK, &policy,
		      check_report);
	free(table);

	check_mat(data + size, in.mat, &inv.gicc[in.cpu % inv.nr]);
	free_inventory(&inv);
	return 0;
}
