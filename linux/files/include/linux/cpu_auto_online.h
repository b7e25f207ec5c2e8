/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Policy for CPUs that firmware adds to the running system.
 */
#ifndef _LINUX_CPU_AUTO_ONLINE_H
#define _LINUX_CPU_AUTO_ONLINE_H

#include <linux/types.h>

struct device;
struct device_attribute;

#ifdef CONFIG_ACPI_HOTPLUG_CPU
extern struct device_attribute dev_attr_auto_online;

bool cpu_auto_online_enabled(void);
void cpu_auto_online(struct device *dev);
#else
static inline bool cpu_auto_online_enabled(void)
{
	return false;
}

static inline void cpu_auto_online(struct device *dev) {}
#endif

#endif
