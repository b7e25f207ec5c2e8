// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPUs that ACPI describes: logical ids, MPIDRs and UIDs
 */

#define pr_fmt(fmt) "ACPI: MADT: " fmt

#include <linux/acpi.h>
#include <linux/acpi_gicc.h>
#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <asm/acpi.h>
#include <asm/cputype.h>
#include <asm/smp_plat.h>

static struct acpi_madt_generic_interrupt cpu_madt_gicc[NR_CPUS];
static u16 gicc_index[ACPI_GICC_INDEX(NR_CPUS)] __ro_after_init;

static struct acpi_gicc_inventory inventory __ro_after_init = {
	.gicc	= cpu_madt_gicc,
	.index	= gicc_index,
	.max	= ARRAY_SIZE(cpu_madt_gicc),
};

static enum acpi_gicc_disabled disabled_gicc __initdata;
static unsigned int dropped __initdata;

static int __init parse_disabled_gicc(char *arg)
{
	if (!arg)
		return -EINVAL;
	if (!strcmp(arg, "auto"))
		disabled_gicc = ACPI_GICC_DISABLED_AUTO;
	else if (!strcmp(arg, "ignore"))
		disabled_gicc = ACPI_GICC_DISABLED_IGNORE;
	else if (!strcmp(arg, "hotplug"))
		disabled_gicc = ACPI_GICC_DISABLED_HOTPLUG;
	else
		pr_warn("arm64.disabled_gicc=%s: use auto, ignore or hotplug\n",
			arg);
	return 0;
}
early_param("arm64.disabled_gicc", parse_disabled_gicc);

static void __init report_problem(enum acpi_gicc_problem problem,
				  const struct acpi_madt_generic_interrupt *gicc,
				  u32 offset)
{
	u64 mpidr = gicc ? gicc->arm_mpidr : INVALID_HWID;
	u32 uid = gicc ? gicc->uid : 0;

	switch (problem) {
	case ACPI_GICC_BAD_SUBTABLE:
		pr_err(FW_BUG "bad length of the entry at offset %u, nothing after it is used\n",
		       offset);
		break;
	case ACPI_GICC_SHORT:
		pr_err(FW_BUG "GICC at offset %u is too short, skipped\n",
		       offset);
		break;
	case ACPI_GICC_BAD_MPIDR:
		pr_err("skipping CPU entry with invalid MPIDR 0x%llx, UID %u\n",
		       mpidr, uid);
		break;
	case ACPI_GICC_DUP_BOOT:
		pr_err("duplicate boot CPU MPIDR 0x%llx, skipping UID %u\n",
		       mpidr, uid);
		break;
	case ACPI_GICC_DUP_MPIDR:
		pr_err("duplicate CPU MPIDR 0x%llx, skipping UID %u\n",
		       mpidr, uid);
		break;
	case ACPI_GICC_DUP_UID:
		pr_err(FW_BUG "duplicate CPU UID %u, %s MPIDR 0x%llx\n", uid,
		       gicc->flags & ACPI_MADT_ENABLED ? "keeping" : "skipping",
		       mpidr);
		break;
	case ACPI_GICC_NO_ROOM:
		dropped++;
		break;
	case ACPI_GICC_BOTH_FLAGS:
		pr_warn(FW_BUG "CPU UID %u, MPIDR 0x%llx is enabled and online-capable, taken as enabled\n",
			uid, mpidr);
		break;
	}
}

static int __init parse_madt(struct acpi_table_header *table)
{
	struct acpi_gicc_policy policy = {
		.hotplug	= IS_ENABLED(CONFIG_ACPI_HOTPLUG_CPU),
		.disabled	= disabled_gicc,
		.fadt_major	= acpi_gbl_FADT.header.revision,
		/* Bits 7:4 are the errata letter (ACPI 6.5, 5.2.9). */
		.fadt_minor	= acpi_gbl_FADT.minor_revision & 0xf,
		.hypervisor_id	= acpi_gbl_FADT.hypervisor_id,
	};

	acpi_gicc_build(&inventory, (struct acpi_table_madt *)table,
			cpu_logical_map(0), &policy, report_problem);
	return 0;
}

/**
 * acpi_smp_init_gicc - number the CPUs of the MADT and map them to MPIDRs
 * @bootcpu_valid: set to whether the boot CPU is one of them
 *
 * Context: boot, before per-CPU areas are set up.
 * Return: the number of logical ids in use, including hot-pluggable CPUs.
 */
unsigned int __init acpi_smp_init_gicc(bool *bootcpu_valid)
{
	unsigned int cpu;

	inventory.nr = 1;
	inventory.nr_enabled = 1;
	acpi_table_parse(ACPI_SIG_MADT, parse_madt);

	if (dropped)
		pr_warn("%u CPUs dropped, the kernel has room for %u\n",
			dropped, inventory.max);
	if (inventory.nr_no_hotplug)
		pr_warn("CPU hotplug needs %s, %u hot-pluggable CPUs ignored\n",
			IS_ENABLED(CONFIG_ACPI_HOTPLUG_CPU) ?
			"GICv3 or later" : "CONFIG_ACPI_HOTPLUG_CPU",
			inventory.nr_no_hotplug);

	/* Hundreds that are absent would cost megabytes, and have nothing to say */
	if (acpi_cpu_hotplug_possible())
		log_buf_expect_cpus(inventory.nr_enabled);

	for (cpu = 1; cpu < inventory.nr; cpu++) {
		set_cpu_logical_map(cpu, cpu_madt_gicc[cpu].arm_mpidr);
		acpi_set_mailbox_entry(cpu, &cpu_madt_gicc[cpu]);
	}
	for (cpu = 0; cpu < inventory.nr; cpu++)
		acpi_table_print_madt_entry(&cpu_madt_gicc[cpu].header);

	*bootcpu_valid = inventory.boot_found;
	return inventory.nr;
}

/**
 * acpi_cpu_get_madt_gicc - the GICC of a CPU
 * @cpu: logical id
 *
 * Return: a copy of what the MADT says of the CPU, all zero where ACPI does not
 * describe it.
 */
struct acpi_madt_generic_interrupt *acpi_cpu_get_madt_gicc(int cpu)
{
	return &cpu_madt_gicc[cpu];
}
EXPORT_SYMBOL_GPL(acpi_cpu_get_madt_gicc);

/**
 * get_cpu_for_acpi_id - look a CPU up by its ACPI Processor UID
 * @uid: ACPI Processor UID
 *
 * Return: the logical id, or -EINVAL.
 */
int get_cpu_for_acpi_id(u32 uid)
{
	int cpu = acpi_gicc_find_uid(&inventory, uid);

	return cpu >= 0 && cpu < nr_cpu_ids ? cpu : -EINVAL;
}
EXPORT_SYMBOL_GPL(get_cpu_for_acpi_id);

/*
 * Does _MAT, where there is one, describe the CPU that the MADT describes? One
 * that boot has brought up is not left without a device, or nothing would take
 * it offline before firmware ejects it.
 */
static bool mat_is_right(acpi_handle handle, int cpu)
{
	const struct acpi_madt_generic_interrupt *gicc = &cpu_madt_gicc[cpu];
	struct acpi_buffer buffer = { ACPI_ALLOCATE_BUFFER, NULL };
	bool there = cpu < nr_cpu_ids && cpu_present(cpu);
	union acpi_object *obj;
	acpi_status status;
	int ret = -EINVAL;

	status = acpi_evaluate_object_typed(handle, "_MAT", NULL, &buffer,
					    ACPI_TYPE_BUFFER);
	if (status == AE_NOT_FOUND)
		return true;

	if (ACPI_SUCCESS(status)) {
		obj = buffer.pointer;
		ret = acpi_gicc_check_mat(obj->buffer.pointer,
					  obj->buffer.length, gicc);
		ACPI_FREE(obj);
	}

	if (ret == -EXDEV)
		acpi_handle_err(handle, FW_BUG "_MAT is not that of UID %u, MPIDR 0x%llx, %s\n",
				gicc->uid, gicc->arm_mpidr,
				there ? "going by the MADT" : "refused");
	else if (ret)
		acpi_handle_warn(handle, FW_BUG "_MAT of UID %u is no GICC, going by the MADT\n",
				 gicc->uid);
	return ret != -EXDEV || there;
}

/**
 * acpi_gicc_phys_id - the MPIDR of a processor device
 * @handle: the processor device
 * @acpi_id: its ACPI Processor UID
 *
 * The MADT settled it at boot, also for CPUs that are not there yet or beyond
 * nr_cpu_ids. _MAT can only confirm it.
 *
 * Context: process context.
 * Return: the MPIDR, or PHYS_CPUID_INVALID if the MADT does not know the CPU,
 * or _MAT contradicts it and the CPU is not there yet.
 */
phys_cpuid_t acpi_gicc_phys_id(acpi_handle handle, u32 acpi_id)
{
	int cpu = acpi_gicc_find_uid(&inventory, acpi_id);

	if (cpu < 0) {
		/* What boot leaves out is nobody's surprise */
		if (system_state == SYSTEM_RUNNING)
			acpi_handle_err(handle, "CPU with UID %u is not one that boot took from the MADT\n",
					acpi_id);
		return PHYS_CPUID_INVALID;
	}

	if (!mat_is_right(handle, cpu))
		return PHYS_CPUID_INVALID;

	return cpu_madt_gicc[cpu].arm_mpidr;
}

/**
 * acpi_cpu_hotpluggable - is a CPU there only once firmware has added it?
 * @cpu: logical id
 *
 * Return: true if the MADT describes the CPU as not usable at boot, but
 * possibly later.
 */
bool acpi_cpu_hotpluggable(unsigned int cpu)
{
	return cpu >= inventory.nr_enabled && cpu < inventory.nr;
}

/**
 * acpi_cpu_hotplug_possible - can CPUs be hot-added to this machine?
 *
 * Return: true if the MADT describes at least one hot-pluggable CPU.
 */
bool acpi_cpu_hotplug_possible(void)
{
	return inventory.nr > inventory.nr_enabled;
}
