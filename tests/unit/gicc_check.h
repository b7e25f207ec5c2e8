/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What holds whatever firmware hands us. Each program that includes this ends
 * in abort() at what does not.
 */
#ifndef GICC_CHECK_H
#define GICC_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

#include <linux/acpi.h>
#include <linux/acpi_gicc.h>

#include <asm/cputype.h>

#define GICC_MIN_LENGTH	\
	offsetof(struct acpi_madt_generic_interrupt, efficiency_class)

static void must(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "violated: %s\n", what);
		abort();
	}
}

/* Memory of exactly that size, for ASan to watch */
static void *copy(const void *from, size_t size)
{
	void *to = memcpy(malloc(size), from, size);

	if (!size)		/* ASan's malloc(0) is one byte */
		ASAN_POISON_MEMORY_REGION(to, 1);
	return to;
}

static void check_report(enum acpi_gicc_problem problem,
			 const struct acpi_madt_generic_interrupt *gicc,
			 u32 offset)
{
	struct acpi_madt_generic_interrupt read;
	bool unreadable = problem == ACPI_GICC_BAD_SUBTABLE ||
			  problem == ACPI_GICC_SHORT;

	must(!gicc == unreadable, "a report has a GICC that can be read");
	/* whoever prints a report reads these */
	if (gicc)
		memcpy(&read, gicc, GICC_MIN_LENGTH);
}

/* The ids that the kernel uses, but that of the boot CPU, are in MADT order */
static void check_order(const struct acpi_gicc_inventory *inv,
			const struct acpi_table_madt *madt)
{
	const u8 *table = (const void *)madt;
	u32 at = sizeof(*madt), end = madt->header.length;
	unsigned int id = 1, nr = min(inv->nr, inv->limit);

	while (id < nr) {
		must(at + 1 < end && table[at + 1], "ids are in MADT order");
		if (table[at] == ACPI_MADT_TYPE_GENERIC_INTERRUPT &&
		    table[at + 1] >= GICC_MIN_LENGTH &&
		    !memcmp(&inv->gicc[id], table + at, GICC_MIN_LENGTH))
			id++;
		at += table[at + 1];
	}
}

static void check_inventory(const struct acpi_gicc_inventory *inv,
			    const struct acpi_table_madt *madt, u64 boot,
			    const struct acpi_gicc_policy *policy)
{
	unsigned int id = inv->boot_found ? 0 : 1, enabled = 1;

	must(inv->nr >= 1 && inv->nr <= inv->max, "1 <= nr <= max");
	must(inv->nr_enabled >= 1 && inv->nr_enabled <= inv->nr,
	     "1 <= nr_enabled <= nr");
	must(!inv->boot_found || inv->gicc[0].arm_mpidr == boot,
	     "id 0 is the boot CPU");
	must(inv->nr == inv->nr_enabled || (policy->hotplug && inv->gicv3),
	     "hot-pluggable CPUs where they can be added");
	for (; id < inv->nr; id++) {
		u64 mpidr = inv->gicc[id].arm_mpidr;
		u32 flags = inv->gicc[id].flags;
		int found = acpi_gicc_find_uid(inv, inv->gicc[id].uid);

		must(!(mpidr & ~MPIDR_HWID_BITMASK), "an MPIDR can be one");
		must(acpi_gicc_find_mpidr(inv, mpidr) == (int)id,
		     "an MPIDR has one id");
		must(found >= 0 && found <= (int)id, "a UID is found");
		must(acpi_gicc_hotpluggable(inv, id) ==
		     (id && !(flags & ACPI_MADT_ENABLED)),
		     "what is not enabled is hot-pluggable");
		must(found == (int)id || !acpi_gicc_hotpluggable(inv, id),
		     "the UID of a hot-pluggable CPU is its own");
		must(!acpi_gicc_hotpluggable(inv, id) ||
		     (flags & ACPI_MADT_GICC_ONLINE_CAPABLE) ||
		     inv->disabled_hotplug,
		     "disabled entries are ignored where they shall be");
		enabled += id && !acpi_gicc_hotpluggable(inv, id);
		/* A CPU is left out only if no absent one is used instead */
		must(id < inv->limit || acpi_gicc_hotpluggable(inv, id) ||
		     enabled == id + 1, "absent CPUs are left out first");
	}
	must(enabled == inv->nr_enabled, "the enabled CPUs are counted");
	must(!inv->disabled_hotplug ||
	     policy->disabled != ACPI_GICC_DISABLED_IGNORE,
	     "disabled entries are ignored if so wanted");
	check_order(inv, madt);
}

static void free_inventory(const struct acpi_gicc_inventory *inv)
{
	free(inv->gicc);
	free(inv->index);
}

static void build_into(struct acpi_gicc_inventory *inv, u8 fill,
		       const struct acpi_table_madt *madt, u64 boot,
		       const struct acpi_gicc_policy *policy,
		       acpi_gicc_report_fn report)
{
	unsigned int max = inv->max, limit = inv->limit;

	memset(inv, fill, sizeof(*inv));
	inv->max = max;
	inv->limit = limit;
	inv->gicc = malloc(max * sizeof(*inv->gicc));
	memset(inv->gicc, fill, max * sizeof(*inv->gicc));
	inv->index = malloc(ACPI_GICC_INDEX(max) * sizeof(*inv->index));
	memset(inv->index, fill, ACPI_GICC_INDEX(max) * sizeof(*inv->index));
	acpi_gicc_build(inv, madt, boot, policy, report);
	check_inventory(inv, madt, boot, policy);
}

/* The inventory of a table; built twice, as nothing of it may be left over */
static void build_checked(struct acpi_gicc_inventory *inv,
			  const struct acpi_table_madt *madt, u64 boot,
			  const struct acpi_gicc_policy *policy,
			  acpi_gicc_report_fn report)
{
	struct acpi_gicc_inventory again = {
		.max = inv->max, .limit = inv->limit
	};

	build_into(inv, 0, madt, boot, policy, report);
	build_into(&again, 0xff, madt, boot, policy, check_report);
	must(inv->nr == again.nr && inv->nr_enabled == again.nr_enabled &&
	     inv->nr_no_hotplug == again.nr_no_hotplug &&
	     inv->nr_disabled == again.nr_disabled && inv->rule == again.rule &&
	     inv->disabled_hotplug == again.disabled_hotplug &&
	     inv->boot_found == again.boot_found && inv->gicv3 == again.gicv3 &&
	     !memcmp(inv->gicc, again.gicc, inv->nr * sizeof(*inv->gicc)),
	     "the same table gives the same inventory");
	free_inventory(&again);
}

static void check_mat(const u8 *mat, size_t size,
		      const struct acpi_madt_generic_interrupt *gicc)
{
	const struct acpi_madt_generic_interrupt *buffer = copy(mat, size);
	int ret = acpi_gicc_check_mat(buffer, size, gicc);

	must(!ret || ret == -EINVAL || ret == -EXDEV, "_MAT: 0 or an error");
	if (ret != -EINVAL) {
		must(buffer->header.type == ACPI_MADT_TYPE_GENERIC_INTERRUPT &&
		     buffer->header.length >= GICC_MIN_LENGTH &&
		     buffer->header.length <= size, "_MAT: a whole GICC");
		must(!ret == (buffer->uid == gicc->uid &&
			      buffer->arm_mpidr == gicc->arm_mpidr),
		     "_MAT: 0 is for a GICC of that CPU");
	}
	free((void *)buffer);
}

#endif
