/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM cpu_hotplug

#if !defined(_TRACE_CPU_HOTPLUG_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_CPU_HOTPLUG_H

#include <linux/tracepoint.h>
#include <linux/types.h>

/*
 * The steps in which the ACPI processor driver adds and removes a CPU.
 * Online and offline are traced by the events of cpuhp. ret is 0 or a negative
 * errno.
 */

TRACE_EVENT(cpu_hotplug_insert,

	TP_PROTO(u32 uid),

	TP_ARGS(uid),

	TP_STRUCT__entry(
		__field(u32, uid)
	),

	TP_fast_assign(
		__entry->uid = uid;
	),

	TP_printk("uid=%u", __entry->uid)
);

/* cpu is -1 if there is no logical id for the CPU. */
TRACE_EVENT(cpu_hotplug_map,

	TP_PROTO(int cpu, u32 uid, u64 hwid, int ret),

	TP_ARGS(cpu, uid, hwid, ret),

	TP_STRUCT__entry(
		__field(int, cpu)
		__field(u32, uid)
		__field(u64, hwid)
		__field(int, ret)
	),

	TP_fast_assign(
		__entry->cpu = cpu;
		__entry->uid = uid;
		__entry->hwid = hwid;
		__entry->ret = ret;
	),

	TP_printk("cpu=%d uid=%u hwid=0x%llx ret=%d", __entry->cpu,
		  __entry->uid, __entry->hwid, __entry->ret)
);

TRACE_EVENT(cpu_hotplug_register,

	TP_PROTO(unsigned int cpu, int ret),

	TP_ARGS(cpu, ret),

	TP_STRUCT__entry(
		__field(unsigned int, cpu)
		__field(int, ret)
	),

	TP_fast_assign(
		__entry->cpu = cpu;
		__entry->ret = ret;
	),

	TP_printk("cpu=%u ret=%d", __entry->cpu, __entry->ret)
);

/* Firmware has taken the CPU, and it is unregistered. */
TRACE_EVENT(cpu_hotplug_eject,

	TP_PROTO(unsigned int cpu, u32 uid),

	TP_ARGS(cpu, uid),

	TP_STRUCT__entry(
		__field(unsigned int, cpu)
		__field(u32, uid)
	),

	TP_fast_assign(
		__entry->cpu = cpu;
		__entry->uid = uid;
	),

	TP_printk("cpu=%u uid=%u", __entry->cpu, __entry->uid)
);

#endif /* _TRACE_CPU_HOTPLUG_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
