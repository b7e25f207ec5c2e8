// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs that firmware adds to and takes from a running machine
 *
 * Every CPU of the GICC inventory is possible from boot on: it has a logical
 * id, an MPIDR, per-CPU areas and a redistributor. Only "present" changes,
 * and it follows firmware, see "CPU hotplug through ACPI" in the arm64
 * documentation.
 */

#define pr_fmt(fmt) "ACPI: CPU hotplug: " fmt

#include <linux/acpi.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/irqchip/arm-gic-v3.h>
#include <linux/kernel.h>
#include <linux/smp.h>
#include <linux/string.h>

#include <acpi/processor.h>
#include <asm/acpi.h>
#include <asm/cpu.h>
#include <asm/smp_plat.h>

/**
 * acpi_map_cpu - make a CPU present that firmware has added, or has at boot
 * @handle: its processor device
 * @physid: its MPIDR
 * @acpi_id: its ACPI Processor UID
 * @pcpu: set to its logical id
 *
 * Context: process context, cpu_add_remove_lock and cpu_hotplug_lock held for
 * writing.
 * Return: 0; -EINVAL if this kernel has no logical id for the CPU or was told
 * not to use it, -EEXIST if the CPU is registered, -ENODEV if boot could not
 * use it, -ENXIO if the CPU's redistributor cannot be reached.
 */
int acpi_map_cpu(acpi_handle handle, phys_cpuid_t physid, u32 acpi_id,
		 int *pcpu)
{
	int cpu = get_cpu_for_acpi_id(acpi_id);

	if (cpu < 0 || !cpu_possible(cpu) ||
	    (!setup_max_cpus && !cpu_present(cpu))) {
		/* What boot leaves out is nobody's surprise */
		if (system_state == SYSTEM_RUNNING)
			pr_err("CPU with UID %u, MPIDR 0x%llx cannot be used: nr_cpus=, maxcpus=0 or nosmp\n",
			       acpi_id, physid);
		return -EINVAL;
	}

	if (get_cpu_device(cpu))
		return -EEXIST;

	/* Boot had it and gave it up: it cannot be used */
	if (!cpu_present(cpu) && !acpi_cpu_hotpluggable(cpu) &&
	    system_state < SYSTEM_RUNNING)
		return -ENODEV;

	if (!cpu_present(cpu) && !gic_v3_cpu_has_rdist(cpu)) {
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
 * @cpu: logical id of a CPU that is not registered
 *
 * The id keeps its MPIDR, UID and node, for when the CPU comes back. A CPU
 * that boot brought up, and that could not be registered then, keeps running.
 *
 * Context: process context, cpu_add_remove_lock and cpu_hotplug_lock held for
 * writing.
 * Return: 0.
 */
int acpi_unmap_cpu(int cpu)
{
	if (!cpu_online(cpu))
		set_cpu_present(cpu, false);
	return 0;
}

/*
 * A CPU that is added after the scan of the namespace and before the Generic
 * Event Device has its handler: its event is lost where the interrupt is edge
 * triggered, as the GIC takes it for a level until it is told.
 */
static void __init add_missed_cpu(acpi_handle handle, int cpu)
{
	u32 status = ACPI_OST_SC_NON_SPECIFIC_FAILURE;

	acpi_bus_scan(handle);
	if (cpu_present(cpu))
		status = ACPI_OST_SC_SUCCESS;
	acpi_evaluate_ost(handle, ACPI_NOTIFY_DEVICE_CHECK, status, NULL);
}

/*
 * A CPU that the MADT calls enabled, and that was ejected before this kernel
 * was started with kexec: firmware has not written the MADT anew since.
 */
static void __init drop_ejected_cpu(int cpu)
{
	pr_info("CPU%d: enabled in the MADT, but not there any more\n", cpu);

	cpu_maps_update_begin();
	cpus_write_lock();

	if (get_cpu_device(cpu))
		arch_unregister_cpu(cpu);
	set_cpu_present(cpu, false);

	cpus_write_unlock();
	cpu_maps_update_done();
}

/* Boot went by the MADT, the scan by _STA: what they disagree on is settled. */
static acpi_status __init settle_cpu(acpi_handle handle, u32 level,
				     void *context, void **retval)
{
	struct acpi_device *adev = acpi_fetch_acpi_dev(handle);
	unsigned long long uid, sta;
	bool there;
	int cpu;

	if (!adev || strcmp(acpi_device_hid(adev), ACPI_PROCESSOR_DEVICE_HID) ||
	    ACPI_FAILURE(acpi_evaluate_integer(handle, "_UID", NULL, &uid)) ||
	    ACPI_FAILURE(acpi_bus_get_status_handle(handle, &sta)))
		return AE_OK;

	cpu = get_cpu_for_acpi_id(uid);
	if (cpu < 0)
		return AE_OK;

	there = (sta & ACPI_STA_DEVICE_PRESENT) &&
		(sta & ACPI_STA_DEVICE_ENABLED);
	if (there && !cpu_present(cpu) && acpi_cpu_hotpluggable(cpu))
		add_missed_cpu(handle, cpu);
	else if (!there && cpu_present(cpu) && !cpu_online(cpu) &&
		 !adev->handler)
		drop_ejected_cpu(cpu);
	return AE_OK;
}

/*
 * Firmware may mark every CPU but the boot CPU online-capable, also those that
 * are there from the start, and after kexec the MADT still says so of what was
 * hot-added before. The scan of the namespace has found them by now: to
 * userspace they are CPUs like any other that was there at boot.
 */
static void __init online_cpus_found_by_scan(void)
{
	struct device *dev;
	unsigned int cpu;
	int ret;

	for_each_present_cpu(cpu) {
		if (num_online_cpus() >= setup_max_cpus)
			break;
		dev = get_cpu_device(cpu);
		if (!dev || cpu_online(cpu) || !acpi_cpu_hotpluggable(cpu))
			continue;
		ret = device_online(dev);
		if (ret < 0 && ret != -EPERM)
			pr_err("CPU%u: cannot be brought online at boot: %d\n",
			       cpu, ret);
	}
}

static int __init acpi_cpu_hotplug_init(void)
{
	if (acpi_disabled || !acpi_cpu_hotplug_possible() || !setup_max_cpus)
		return 0;

	lock_device_hotplug();

	acpi_scan_lock_acquire();
	acpi_walk_namespace(ACPI_TYPE_DEVICE, ACPI_ROOT_OBJECT, ACPI_UINT32_MAX,
			    settle_cpu, NULL, NULL, NULL);
	acpi_scan_lock_release();

	online_cpus_found_by_scan();

	unlock_device_hotplug();
	return 0;
}
late_initcall(acpi_cpu_hotplug_init);
