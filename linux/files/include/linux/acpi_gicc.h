/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inventory of the CPUs that the MADT describes with GICC structures.
 *
 * Depends on ACPICA's definitions and phys_cpuid_t, and nothing else of the
 * kernel.
 */
#ifndef _LINUX_ACPI_GICC_H
#define _LINUX_ACPI_GICC_H

#include <linux/acpi.h>
#include <linux/types.h>

/**
 * enum acpi_gicc_disabled - what a GICC with no flag set stands for
 * @ACPI_GICC_DISABLED_AUTO: a hot-pluggable CPU where firmware has no better
 *	way to say so: FADT older than 6.5, that names a hypervisor vendor, and
 *	no GICC that is online-capable
 * @ACPI_GICC_DISABLED_IGNORE: never a CPU
 * @ACPI_GICC_DISABLED_HOTPLUG: always a hot-pluggable CPU
 */
enum acpi_gicc_disabled {
	ACPI_GICC_DISABLED_AUTO,
	ACPI_GICC_DISABLED_IGNORE,
	ACPI_GICC_DISABLED_HOTPLUG,
};

/**
 * struct acpi_gicc_policy - what decides over the GICCs that are not enabled
 * @hotplug: this kernel can hot-add CPUs
 * @disabled: how to take GICCs with no flag set
 * @fadt_major: FADT major version
 * @fadt_minor: FADT minor version
 * @hypervisor_id: FADT Hypervisor Vendor Identity, 0 on bare metal
 */
struct acpi_gicc_policy {
	bool hotplug;
	enum acpi_gicc_disabled disabled;
	u8 fadt_major;
	u8 fadt_minor;
	u64 hypervisor_id;
};

/**
 * enum acpi_gicc_problem - why an entry is not, or not quite, taken as it is
 * @ACPI_GICC_BAD_SUBTABLE: a subtable shorter than its header or longer than
 *	the rest of the MADT; what follows cannot be read
 * @ACPI_GICC_SHORT: shorter than the GICC of ACPI 5.1
 * @ACPI_GICC_BAD_MPIDR: MPIDR with reserved bits set
 * @ACPI_GICC_DUP_BOOT: another entry for the boot CPU
 * @ACPI_GICC_DUP_MPIDR: MPIDR of an entry that is taken
 * @ACPI_GICC_DUP_UID: ACPI Processor UID of an entry that is taken; an enabled
 *	CPU is taken all the same, but its processor device is not found
 * @ACPI_GICC_NO_ROOM: more entries than the inventory holds
 * @ACPI_GICC_BOTH_FLAGS: enabled and online-capable; taken as enabled
 */
enum acpi_gicc_problem {
	ACPI_GICC_BAD_SUBTABLE,
	ACPI_GICC_SHORT,
	ACPI_GICC_BAD_MPIDR,
	ACPI_GICC_DUP_BOOT,
	ACPI_GICC_DUP_MPIDR,
	ACPI_GICC_DUP_UID,
	ACPI_GICC_NO_ROOM,
	ACPI_GICC_BOTH_FLAGS,
};

/* Twice a hash table, by UID and by MPIDR, that is half full at most */
#define ACPI_GICC_INDEX(max)	(2 * 2 * (max))

/**
 * struct acpi_gicc_inventory - the CPUs of the MADT by logical id
 * @gicc: array of @max entries, copies of the GICCs; entry 0 is the boot CPU
 * @index: array of ACPI_GICC_INDEX(@max) entries, for the lookups
 * @max: room in @gicc, at most 32768
 * @nr: ids in use, at least 1
 * @nr_enabled: ids below are enabled in the MADT (or the boot CPU), ids from
 *	here to @nr are hot-pluggable
 * @nr_no_hotplug: hot-pluggable entries left out because this kernel or this
 *	GIC cannot hot-add
 * @boot_found: entry 0 is filled
 * @gicv3: the GIC is a GICv3 or later
 */
struct acpi_gicc_inventory {
	struct acpi_madt_generic_interrupt *gicc;
	u16 *index;
	unsigned int max;
	unsigned int nr;
	unsigned int nr_enabled;
	unsigned int nr_no_hotplug;
	bool boot_found;
	bool gicv3;
};

/*
 * @gicc is NULL for ACPI_GICC_BAD_SUBTABLE and, as its fields cannot be
 * trusted, for ACPI_GICC_SHORT; @offset is the entry's distance from the start
 * of the MADT in bytes.
 */
typedef void (*acpi_gicc_report_fn)(enum acpi_gicc_problem problem,
				    const struct acpi_madt_generic_interrupt *gicc,
				    u32 offset);

void acpi_gicc_build(struct acpi_gicc_inventory *inv,
		     const struct acpi_table_madt *madt, u64 boot_mpidr,
		     const struct acpi_gicc_policy *policy,
		     acpi_gicc_report_fn report);
int acpi_gicc_find_uid(const struct acpi_gicc_inventory *inv, u32 uid);
int acpi_gicc_find_mpidr(const struct acpi_gicc_inventory *inv, u64 mpidr);
int acpi_gicc_check_mat(const void *buf, size_t len,
			const struct acpi_madt_generic_interrupt *gicc);

/* Looks into the kernel's own inventory: arch/arm64/kernel/acpi_gicc.c */
phys_cpuid_t acpi_gicc_phys_id(acpi_handle handle, u32 acpi_id);

#endif
