/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPICA's own headers, from the kernel tree, which are made for user space as well; and what the kernel has anyhow */
#ifndef _LINUX_ACPI_H
#define _LINUX_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <acpi/acpi.h>
#include <linux/minmax.h>

typedef u64 phys_cpuid_t;

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
