// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policy for CPUs that firmware adds to the running system
 *
 * By default user space brings them online. In a guest without udev, for
 * example, the kernel can do so when it adds them:
 * /sys/devices/system/cpu/auto_online, or cpuhp_default_state= at boot.
 */

#include <linux/compiler.h>
#include <linux/cpu_auto_online.h>
#include <linux/device.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/sysfs.h>

enum cpu_state_policy {
	CPU_STAYS_OFFLINE,
	CPU_GOES_ONLINE,
};

static const char * const policy_names[] = {
	[CPU_STAYS_OFFLINE] = "offline",
	[CPU_GOES_ONLINE] = "online",
};

static enum cpu_state_policy policy;

static ssize_t auto_online_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", policy_names[READ_ONCE(policy)]);
}

static ssize_t auto_online_store(struct device *dev,
				 struct device_attribute *attr,
				 const char *buf, size_t count)
{
	int wanted = sysfs_match_string(policy_names, buf);

	if (wanted < 0)
		return wanted;

	WRITE_ONCE(policy, wanted);
	return count;
}
DEVICE_ATTR_RW(auto_online);

static int __init setup_default_state(char *str)
{
	int wanted = match_string(policy_names, ARRAY_SIZE(policy_names), str);

	if (wanted < 0)
		pr_warn("cpuhp_default_state=%s: use offline or online\n", str);
	else
		policy = wanted;
	return 1;
}
__setup("cpuhp_default_state=", setup_default_state);

/**
 * cpu_auto_online_enabled - are hot-added CPUs brought online?
 *
 * Context: any.
 * Return: true if the policy says so.
 */
bool cpu_auto_online_enabled(void)
{
	return READ_ONCE(policy) == CPU_GOES_ONLINE;
}

/**
 * cpu_auto_online - bring a hot-added CPU online if the policy says so
 * @dev: CPU device, registered and offline
 *
 * If the CPU cannot be brought online, it stays present and offline. A later
 * attempt may succeed.
 *
 * Context: process context, device_hotplug_lock held.
 */
void cpu_auto_online(struct device *dev)
{
	int ret;

	if (!cpu_auto_online_enabled())
		return;

	ret = device_online(dev);
	if (ret < 0)
		dev_err(dev, "added, but cannot be brought online: %d\n", ret);
}
