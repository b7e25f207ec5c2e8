/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inventory of the CPUs that the MADT describes with GICC structures.
 *
 * Depends only on ACPICA's definitions, so that user space tests can include
 * it.
 */
#ifndef _LINUX_ACPI_GICC_H
#define _LINUX_ACPI_GICC_H

#include <linux/acpi.h>
#include <linux/types.h>

/**
 * enum acpi_gicc_disabled - how to take a GICC with no flag set
 * @ACPI_GICC_DISABLED_AUTO: as a hot-pluggable CPU if the FADT is older than
 *	6.5 and names a hypervisor vendor, and no GICC is online-capable
 * @ACPI_GICC_DISABLED_IGNORE: ignore it
 * @ACPI_GICC_DISABLED_HOTPLUG: as a hot-pluggable CPU
 */
enum acpi_gicc_disabled {
	ACPI_GICC_DISABLED_AUTO,
	ACPI_GICC_DISABLED_IGNORE,
	ACPI_GICC_DISABLED_HOTPLUG,
};

/**
 * enum acpi_gicc_rule - why GICCs with no flag set are taken as they are
 * @ACPI_GICC_BY_POLICY: the policy is not ACPI_GICC_DISABLED_AUTO
 * @ACPI_GICC_BY_BARE_METAL: ignored, the FADT names no hypervisor vendor
 * @ACPI_GICC_BY_FADT_VERSION: ignored, the FADT is 6.5 or later
 * @ACPI_GICC_BY_ONLINE_CAPABLE: ignored, another GICC is online-capable
 * @ACPI_GICC_BY_HYPERVISOR: hot-pluggable, as none of the above applies
 */
enum acpi_gicc_rule {
	ACPI_GICC_BY_POLICY,
	ACPI_GICC_BY_BARE_METAL,
	ACPI_GICC_BY_FADT_VERSION,
	ACPI_GICC_BY_ONLINE_CAPABLE,
	ACPI_GICC_BY_HYPERVISOR,
};

/**
 * struct acpi_gicc_policy - how to take the GICCs that are not enabled
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
 * enum acpi_gicc_problem - what is wrong with an entry
 * @ACPI_GICC_BAD_SUBTABLE: the subtable is shorter than its header or longer
 *	than the rest of the MADT; the entries after it are not read
 * @ACPI_GICC_SHORT: shorter than the GICC of ACPI 5.1
 * @ACPI_GICC_BAD_MPIDR: reserved bits of the MPIDR are set
 * @ACPI_GICC_DUP_BOOT: second entry with the boot CPU's MPIDR
 * @ACPI_GICC_DUP_MPIDR: another entry has the same MPIDR
 * @ACPI_GICC_DUP_UID: another entry has the same ACPI Processor UID; an enabled
 *	CPU is used nevertheless, without its processor device
 * @ACPI_GICC_NO_ROOM: more entries than the inventory holds
 * @ACPI_GICC_BOTH_FLAGS: enabled and online-capable; used as enabled
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

/* Two hash tables, by UID and by MPIDR, each at most half full */
#define ACPI_GICC_INDEX(max)	(2 * 2 * (max))

/**
 * struct acpi_gicc_inventory - the CPUs of the MADT by logical id
 * @gicc: array of @max entries, copies of the GICCs; entry 0 is the boot CPU
 * @index: array of ACPI_GICC_INDEX(@max) entries, for the lookups
 * @max: size of @gicc, at most 32768
 * @limit: number of ids that the kernel can use, at most @max. The CPUs that
 *	these do not suffice for have the ids from @limit on.
 * @nr: number of ids in use, at least 1
 * @nr_enabled: number of CPUs that are enabled in the MADT, including the boot
 *	CPU. The others are hot-pluggable.
 * @nr_no_hotplug: number of hot-pluggable entries left out because this kernel
 *	or this GIC does not support CPU hotplug
 * @nr_disabled: number of GICCs with no flag set that are hot-pluggable CPUs,
 *	or that are ignored, according to @disabled_hotplug
 * @rule: the rule that set @disabled_hotplug
 * @disabled_hotplug: GICCs with no flag set are hot-pluggable CPUs
 * @boot_found: entry 0 is valid
 * @gicv3: the GIC is a GICv3 or later
 */
struct acpi_gicc_inventory {
	struct acpi_madt_generic_interrupt *gicc;
	u16 *index;
	unsigned int max;
	unsigned int limit;
	unsigned int nr;
	unsigned int nr_enabled;
	unsigned int nr_no_hotplug;
	unsigned int nr_disabled;
	enum acpi_gicc_rule rule;
	bool disabled_hotplug;
	bool boot_found;
	bool gicv3;
};

/*
 * @gicc is NULL for ACPI_GICC_BAD_SUBTABLE and ACPI_GICC_SHORT, whose fields
 * must not be read. @offset is the byte offset of the entry in the MADT.
 */
typedef void (*acpi_gicc_report_fn)(enum acpi_gicc_problem problem,
				    const struct acpi_madt_generic_interrupt *gicc,
				    u32 offset);

void acpi_gicc_build(struct acpi_gicc_inventory *inv,
		     const struct acpi_table_madt *madt, u64 boot_mpidr,
		     const struct acpi_gicc_policy *policy,
		     acpi_gicc_report_fn report);
bool acpi_gicc_hotpluggable(const struct acpi_gicc_inventory *inv,
			    unsigned int id);
int acpi_gicc_find_uid(const struct acpi_gicc_inventory *inv, u32 uid);
int acpi_gicc_find_mpidr(const struct acpi_gicc_inventory *inv, u64 mpidr);
int acpi_gicc_check_mat(const void *buf, size_t len,
			const struct acpi_madt_generic_interrupt *gicc);

#endif
