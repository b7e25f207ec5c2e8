// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hot-add and eject of CPUs through ACPI
 *
 * All CPUs of the GICC inventory are possible: each has a logical id, an MPIDR,
 * per-CPU areas and a redistributor since boot. Only cpu_present_mask changes.
 * It follows firmware, see cpu-hotplug.rst in the documentation of arm64.
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
#include <asm/cputype.h>
#include <asm/smp_plat.h>

/**
 * acpi_map_cpu - make a CPU present
 * @handle: its processor device
 * @physid: its MPIDR
 * @acpi_id: its ACPI Processor UID
 * @pcpu: set to its logical id
 *
 * Context: process context, cpu_add_remove_lock and cpu_hotplug_lock held for
 * writing.
 * Return: 0. -EINVAL if the CPU has no logical id or the command line excludes
 * it, -EEXIST if the CPU is registered, -ENODEV if the CPU could not be
 * prepared or failed to start at boot, -ENXIO if it has no redistributor.
 */
int acpi_map_cpu(acpi_handle handle, phys_cpuid_t physid, u32 acpi_id,
		 int *pcpu)
{
	int cpu = get_cpu_for_acpi_id(acpi_id);

	if (cpu < 0 || !cpu_possible(cpu) ||
	    (!setup_max_cpus && !cpu_present(cpu))) {
		/* At boot, CPUs that the command line leaves out are no error. */
		if (system_state == SYSTEM_RUNNING)
			pr_err("CPU with UID %u, MPIDR 0x%llx cannot be used: nr_cpus=, maxcpus=0 or nosmp, or not set up at boot\n",
			       acpi_id, physid);
		return -EINVAL;
	}

	if (get_cpu_device(cpu))
		return -EEXIST;

	/* smp_prepare_cpus() could not prepare it. */
	if (cpu_logical_map(cpu) == INVALID_HWID) {
		if (system_state == SYSTEM_RUNNING)
			pr_err("CPU%d: cannot be used, as it could not be prepared at boot\n",
			       cpu);
		return -ENODEV;
	}

	/* An enabled CPU that is not present at boot failed to start. */
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
 * The id keeps its MPIDR, UID and node for the next hot-add. A CPU that was
 * brought up at boot and could not be registered stays present, as it runs.
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
 * The MADT says that a CPU is enabled, but its _STA says that it is not there:
 * it was ejected before kexec started this kernel. The MADT does not change.
 */
static void __init drop_ejected_cpu(int cpu)
{
	pr_info("CPU%d: enabled in the MADT, but no longer there\n", cpu);

	cpu_maps_update_begin();
	cpus_write_lock();

	if (get_cpu_device(cpu))
		arch_unregister_cpu(cpu);
	set_cpu_present(cpu, false);

	cpus_write_unlock();
	cpu_maps_update_done();
}

/* Make cpu_present_mask agree with _STA where only the MADT set it. */
static acpi_status __init check_enabled_cpu(acpi_handle handle, u32 level,
					    void *context, void **retval)
{
	struct acpi_device *adev = acpi_fetch_acpi_dev(handle);
	unsigned long long uid, sta;
	int cpu;

	if (!adev || adev->handler ||
	    strcmp(acpi_device_hid(adev), ACPI_PROCESSOR_DEVICE_HID) ||
	    ACPI_FAILURE(acpi_evaluate_integer(handle, "_UID", NULL, &uid)) ||
	    ACPI_FAILURE(acpi_bus_get_status_handle(handle, &sta)))
		return AE_OK;

	cpu = get_cpu_for_acpi_id(uid);
	if (cpu < 0 || !cpu_present(cpu) || cpu_online(cpu))
		return AE_OK;

	if (!(sta & ACPI_STA_DEVICE_PRESENT) ||
	    !(sta & ACPI_STA_DEVICE_ENABLED))
		drop_ejected_cpu(cpu);
	return AE_OK;
}

/*
 * Bring hot-pluggable CPUs online that are there at boot. Some firmware marks
 * all CPUs but the boot CPU online-capable. After kexec, CPUs that were
 * hot-added before are still online-capable in the MADT.
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

/*
 * This runs after acpi_init(), which scans the namespace, and before drivers
 * are initialized, as they size their queues by the number of online CPUs.
 */
static int __init acpi_cpu_hotplug_init(void)
{
	if (acpi_disabled || !acpi_cpu_hotplug_possible() || !setup_max_cpus)
		return 0;

	lock_device_hotplug();

	acpi_scan_lock_acquire();
	acpi_walk_namespace(ACPI_TYPE_DEVICE, ACPI_ROOT_OBJECT, ACPI_UINT32_MAX,
			    check_enabled_cpu, NULL, NULL, NULL);
	acpi_scan_lock_release();

	online_cpus_found_by_scan();

	unlock_device_hotplug();
	return 0;
}
subsys_initcall_sync(acpi_cpu_hotplug_init);
