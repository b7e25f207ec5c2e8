// SPDX-License-Identifier: GPL-2.0-only
/*
 * Logical ids, MPIDRs and UIDs of the CPUs in the MADT
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

#include <acpi/processor.h>
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
		pr_err(FW_BUG "entry at offset %u has an invalid length, the entries after it are ignored\n",
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
		pr_warn(FW_BUG "CPU UID %u, MPIDR 0x%llx is enabled and online-capable, used as enabled\n",
			uid, mpidr);
		break;
	}
}

/*
 * Say how many GICCs with no flag set are taken as hot-pluggable CPUs, or were
 * ignored on a machine that may have meant them as such, and by which rule.
 */
static void __init report_disabled(const struct acpi_gicc_policy *policy)
{
	if (!inventory.nr_disabled)
		return;

	switch (inventory.rule) {
	case ACPI_GICC_BY_POLICY:
		pr_info("%u GICCs with no flag set %s: arm64.disabled_gicc=%s\n",
			inventory.nr_disabled,
			inventory.disabled_hotplug ?
			"are hot-pluggable CPUs" : "ignored",
			inventory.disabled_hotplug ? "hotplug" : "ignore");
		break;
	case ACPI_GICC_BY_BARE_METAL:
		break;
	case ACPI_GICC_BY_FADT_VERSION:
		pr_info("%u GICCs with no flag set ignored: the FADT is %u.%u, which has online-capable\n",
			inventory.nr_disabled, policy->fadt_major,
			policy->fadt_minor);
		break;
	case ACPI_GICC_BY_ONLINE_CAPABLE:
		pr_info("%u GICCs with no flag set ignored: another GICC is online-capable\n",
			inventory.nr_disabled);
		break;
	case ACPI_GICC_BY_HYPERVISOR:
		pr_info("%u GICCs with no flag set are hot-pluggable CPUs: the FADT is %u.%u and names a hypervisor, no GICC is online-capable\n",
			inventory.nr_disabled, policy->fadt_major,
			policy->fadt_minor);
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
	report_disabled(&policy);
	return 0;
}

/**
 * acpi_smp_init_gicc - number the CPUs of the MADT and map them to MPIDRs
 * @bootcpu_valid: set to true if the MADT has the boot CPU, else to false
 *
 * Context: boot, before per-CPU areas are set up.
 * Return: the number of CPUs, including hot-pluggable ones and those that
 * nr_cpus= leaves out.
 */
unsigned int __init acpi_smp_init_gicc(bool *bootcpu_valid)
{
	unsigned int cpu;

	inventory.limit = min(nr_cpu_ids, inventory.max);
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
 * Return: a copy of the CPU's GICC in the MADT, all zero if it has none.
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
 * Check _MAT, if there is one, against the MADT. A CPU that is present is used
 * even if its _MAT is wrong: without its device, it would not be taken offline
 * before firmware ejects it.
 */
static bool mat_is_right(acpi_handle handle, int cpu)
{
	const struct acpi_madt_generic_interrupt *gicc = &cpu_madt_gicc[cpu];
	struct acpi_buffer buffer = { ACPI_ALLOCATE_BUFFER, NULL };
	bool present = cpu < nr_cpu_ids && cpu_present(cpu);
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
		acpi_handle_err(handle, FW_BUG "_MAT does not match UID %u, MPIDR 0x%llx of the MADT, %s\n",
				gicc->uid, gicc->arm_mpidr,
				present ? "ignored" : "CPU refused");
	else if (ret)
		acpi_handle_warn(handle, FW_BUG "_MAT of UID %u is not a GICC, ignored\n",
				 gicc->uid);
	return ret != -EXDEV || present;
}

/**
 * acpi_get_phys_id - the MPIDR of a processor device
 * @handle: the processor device
 * @type: 1 for a Device object, which has a UID, 0 for a Processor object
 * @acpi_id: its ACPI Processor UID
 *
 * The MPIDR is that of the MADT, also for CPUs that are not present and CPUs
 * that nr_cpus= leaves out. _MAT must not contradict it.
 *
 * Context: process context.
 * Return: the MPIDR. PHYS_CPUID_INVALID for a Processor object, if the CPU is not
 * in the inventory, or if _MAT contradicts the MADT and the CPU is not present.
 */
phys_cpuid_t acpi_get_phys_id(acpi_handle handle, int type, u32 acpi_id)
{
	int cpu;

	if (!type)
		return PHYS_CPUID_INVALID;

	cpu = acpi_gicc_find_uid(&inventory, acpi_id);
	if (cpu < 0) {
		/* At boot, an ignored GICC is not an error. */
		if (system_state == SYSTEM_RUNNING)
			acpi_handle_err(handle, "CPU with UID %u cannot be used: its GICC is not in the MADT or was ignored at boot\n",
					acpi_id);
		return PHYS_CPUID_INVALID;
	}

	if (!mat_is_right(handle, cpu))
		return PHYS_CPUID_INVALID;

	return cpu_madt_gicc[cpu].arm_mpidr;
}

/**
 * acpi_cpu_hotpluggable - is a CPU hot-pluggable?
 * @cpu: logical id
 *
 * Return: true if the CPU is not enabled in the MADT and can be added later.
 */
bool acpi_cpu_hotpluggable(unsigned int cpu)
{
	return acpi_gicc_hotpluggable(&inventory, cpu);
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
