// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs that firmware adds to and takes from a running machine
 *
 * Every CPU of the GICC inventory is possible from boot on: it has a logical
 * id, an MPIDR, per-CPU areas and a redistributor. Only "present" changes,
 * and it follows firmware, see Documentation/arm64/cpu-hotplug.rst.
 */

#define pr_fmt(fmt) "ACPI: CPU hotplug: " fmt

#include <linux/acpi.h>
#include <linux/acpi_gicc.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/irqchip/arm-gic-v3.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include <asm/acpi.h>
#include <asm/smp_plat.h>

/* Does _MAT, where there is one, describe the CPU that the MADT describes? */
static int check_mat(acpi_handle handle, int cpu)
{
	struct acpi_buffer buffer = { ACPI_ALLOCATE_BUFFER, NULL };
	const struct acpi_madt_generic_interrupt *gicc;
	union acpi_object *obj;
	acpi_status status;
	int ret = -EINVAL;

	status = acpi_evaluate_object_typed(handle, "_MAT", NULL, &buffer,
					    ACPI_TYPE_BUFFER);
	if (status == AE_NOT_FOUND)
		return 0;

	gicc = acpi_cpu_get_madt_gicc(cpu);
	if (ACPI_SUCCESS(status)) {
		obj = buffer.pointer;
		ret = acpi_gicc_check_mat(obj->buffer.pointer,
					  obj->buffer.length, gicc);
	}
	kfree(buffer.pointer);

	if (ret == -EXDEV) {
		pr_err(FW_BUG "CPU%d: _MAT is not that of UID %u, MPIDR 0x%llx\n",
		       cpu, gicc->uid, gicc->arm_mpidr);
		return ret;
	}
	if (ret)
		pr_warn(FW_BUG "CPU%d: _MAT is no GICC, going by the MADT\n",
			cpu);
	return 0;
}

/**
 * acpi_map_cpu - make a CPU present that firmware has added
 * @handle: its processor device
 * @physid: its MPIDR
 * @acpi_id: its ACPI Processor UID
 * @pcpu: set to its logical id
 *
 * Context: process context, cpu_add_remove_lock and cpu_hotplug_lock held for
 * writing.
 * Return: 0; -ENODEV if this kernel has no logical id for the CPU or was told
 * not to use it, -EEXIST if the CPU is registered, -EXDEV if _MAT contradicts
 * the MADT, -ENXIO if the CPU's redistributor cannot be reached.
 */
int acpi_map_cpu(acpi_handle handle, phys_cpuid_t physid, u32 acpi_id,
		 int *pcpu)
{
	int cpu = get_cpu_for_acpi_id(acpi_id);
	int ret;

	if (cpu < 0 || !cpu_possible(cpu) || !setup_max_cpus) {
		/* On other machines this is nothing new at boot, nor is it said */
		if (acpi_cpu_hotplug_possible())
			pr_info("CPU with UID %u, MPIDR 0x%llx is left out by nr_cpus=, maxcpus=0 or nosmp\n",
				acpi_id, physid);
		return -ENODEV;
	}

	if (get_cpu_device(cpu))
		return -EEXIST;

	ret = check_mat(handle, cpu);
	if (ret)
		return ret;

	if (!gic_v3_cpu_has_rdist(cpu)) {
		pr_err(FW_BUG "CPU%d: no GICR range has the redistributor of MPIDR 0x%llx, refused\n",
		       cpu, physid);
		return -ENXIO;
	}

	set_cpu_present(cpu, true);
	*pcpu = cpu;
	return 0;
}

/**
 * acpi_unmap_cpu - undo acpi_map_cpu()
 * @cpu: logical id of a CPU that is offline and unregistered
 *
 * The id keeps its MPIDR, UID and node, for when the CPU comes back.
 *
 * Context: process context, cpu_add_remove_lock and cpu_hotplug_lock held for
 * writing.
 * Return: 0.
 */
int acpi_unmap_cpu(int cpu)
{
	set_cpu_present(cpu, false);
	return 0;
}

/*
 * Firmware may mark every CPU but the boot CPU online-capable, also those that
 * are there from the start, and after kexec the MADT still says so of what was
 * hot-added before. The scan of the namespace has found them by now: to
 * userspace they are CPUs like any other that was there at boot.
 */
static int __init online_cpus_found_by_scan(void)
{
	unsigned int cpu;
	int ret;

	if (acpi_disabled)
		return 0;

	lock_device_hotplug();
	for_each_present_cpu(cpu) {
		if (num_online_cpus() >= setup_max_cpus)
			break;
		if (cpu_online(cpu) || !acpi_cpu_hotpluggable(cpu))
			continue;
		ret = device_online(get_cpu_device(cpu));
		if (ret < 0 && ret != -EPERM)
			pr_err("CPU%u: cannot be brought online at boot: %d\n",
			       cpu, ret);
	}
	unlock_device_hotplug();
	return 0;
}
late_initcall(online_cpus_found_by_scan);
