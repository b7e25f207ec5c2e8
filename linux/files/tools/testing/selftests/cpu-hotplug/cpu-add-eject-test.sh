#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Test CPU hot-add and eject: wait for a CPU to be added to this machine, use
# it, take it offline and online, and wait for it to be ejected while it is in
# use.
#
# The hypervisor has to add and eject the CPU. The test prints a line that
# begins with "# waiting" when it waits for either. The test is skipped if no
# CPU is added in time, or if all possible CPUs are present.
#
# Output is KTAP. Checks that are not possible here are skipped with a reason.

usage="usage: $0 [-t SECONDS]
  -t SECONDS  how long to wait for a CPU to be added, and for the request to
              eject it (default 30)"

ksft_skip=4
patience=30		# seconds to wait for the hypervisor
soon=10			# seconds to wait for the kernel

nr_tests=14
nr_done=0
nr_failed=0

cpus=			# /sys/devices/system/cpu
trace=			# directory of our own trace instance
uevents=		# file that uevents are written to
uevent_pid=
task=

# --- output ------------------------------------------------------------------

diag()
{
	echo "# $*"
}

# $1: 0 passed, 1 failed, 4 skipped for $reason; $2: name
result()
{
	nr_done=$((nr_done + 1))
	case $1 in
	0)	echo "ok $nr_done $2" ;;
	4)	echo "ok $nr_done $2 # SKIP $reason" ;;
	*)	echo "not ok $nr_done $2"
		nr_failed=$((nr_failed + 1)) ;;
	esac
}

skip_all()
{
	echo "1..0 # SKIP $*"
	exit $ksft_skip
}

finish()
{
	diag "$nr_failed of $nr_tests failed"
	[ $nr_failed -eq 0 ] || exit 1
	exit 0
}

# Skip the remaining tests, which depend on the one that failed. $1: name, $2: reason
give_up()
{
	reason=$2
	while [ $nr_done -lt $nr_tests ]; do
		result $ksft_skip "$1"
	done
	finish
}

# --- CPU lists, tasks, interrupts --------------------------------------------

# 0-2,5 -> 0 1 2 5
expand()
{
	echo "$1" | tr ',' '\n' | while IFS=- read -r first last; do
		[ -n "$first" ] && seq "$first" "${last:-$first}"
	done
}

# $1: mask, $2: CPU
mask_has()
{
	expand "$(cat "$cpus/$1")" | grep -qx "$2"
}

# $1: mask, $2: wanted list
mask_is()
{
	[ "$(cat "$cpus/$1")" = "$2" ] && return
	diag "$1 is '$(cat "$cpus/$1")', not '$2'"
	return 1
}

# Run a command every 0.1 s until it succeeds. $1: seconds
wait_for()
{
	deadline=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt $deadline ] || return 1
		sleep 0.1
	done
}

new_cpu()
{
	for cpu in $(expand "$(cat "$cpus/present")"); do
		expand "$present" | grep -qx "$cpu" || return 0
	done
	return 1
}

cpu_gone()
{
	! mask_has present "$cpu"
}

# Field of /proc/PID/stat of the task. The name in field 2 may contain blanks.
task_field()
{
	sed 's/.*) //' "/proc/$task/stat" | cut -d ' ' -f $(($1 - 2))
}

task_ticks()
{
	task_field 14
}

task_cpu()
{
	task_field 39
}

task_pinned()
{
	grep -qx "Cpus_allowed_list:[[:space:]]*$cpu" "/proc/$task/status"
}

task_ticked()
{
	[ "$(task_ticks)" -gt $((ticks + 2)) ]
}

# Does the task make progress?
task_works()
{
	ticks=$(task_ticks)
	wait_for $soon task_ticked
}

start_task()
{
	taskset -c "$cpu" sh -c 'while :; do :; done' &
	task=$!
	wait_for $soon task_pinned && task_works
}

stop_task()
{
	[ -n "$task" ] || return
	kill "$task"
	wait "$task" 2>/dev/null
	task=
}

# Count the CPU's interrupts in matching lines of /proc/interrupts. $1: pattern
interrupts()
{
	awk -v cpu="CPU$cpu" -v pattern="$1" '
		NR == 1 {
			for (i = 1; i <= NF; i++)
				if ($i == cpu)
					column = i + 1
		}
		NR > 1 && $0 ~ pattern { sum += $column }
		END { print sum + 0 }' /proc/interrupts
}

timer_interrupts()
{
	interrupts 'arch_timer|^ *LOC:'
}

ipis()
{
	interrupts '^ *IPI[0-9]+:|^ *(RES|CAL):'
}

# --- uevents and _OST --------------------------------------------------------

start_uevents()
{
	uevents=$(mktemp)
	if command -v uevent >/dev/null; then		# busybox
		# shellcheck disable=SC2016	# for the shell that it starts
		uevent sh -c 'echo "$ACTION $DEVPATH"' >"$uevents" 2>/dev/null &
	elif command -v udevadm >/dev/null; then
		udevadm monitor --kernel >"$uevents" 2>/dev/null &
	else
		return
	fi
	uevent_pid=$!
	sleep 1
}

# Count the uevents of the CPU. $1: action
count_uevents()
{
	grep -cE "(^| )$1 +/devices/system/cpu/cpu$cpu( |\$)" "$uevents"
}

uevent_came()
{
	[ "$(count_uevents "$1")" -gt 0 ]
}

# Exactly one uevent. $1: action
one_uevent()
{
	if [ -z "$uevent_pid" ]; then
		reason="neither uevent nor udevadm is here"
		return $ksft_skip
	fi
	wait_for $soon uevent_came "$1"
	[ "$(count_uevents "$1")" -eq 1 ] && return
	diag "$(count_uevents "$1") uevents '$1' for cpu$cpu"
	return 1
}

# Record the _OST calls with a kprobe.
start_trace()
{
	for dir in /sys/kernel/tracing /sys/kernel/debug/tracing; do
		[ -e $dir/kprobe_events ] || continue
		# shellcheck disable=SC2016	# $arg2 and $arg3 are the kernel's
		echo 'p:cpu_add_eject/ost acpi_evaluate_ost source=$arg2:u32 status=$arg3:x32' \
			>>$dir/kprobe_events 2>/dev/null || return
		mkdir -p $dir/instances/cpu_add_eject
		trace=$dir/instances/cpu_add_eject
		echo 1 >$trace/events/cpu_add_eject/ost/enable
		return
	done
}

stop_trace()
{
	[ -n "$trace" ] || return
	echo 0 >"$trace/events/cpu_add_eject/ost/enable"
	rmdir "$trace"
	echo '-:cpu_add_eject/ost' >>"${trace%/instances/*}/kprobe_events"
	trace=
}

osts()
{
	sed -n 's/.*(acpi_evaluate_ost.*) *source=/source=/p' "$trace/trace"
}

# $1: extended regular expression for all lines of osts(), joined by commas
osts_match()
{
	osts | paste -s -d , - | grep -qxE "$1"
}

check_osts()
{
	if [ -z "$trace" ]; then
		reason="no kprobe events here to see _OST with"
		return $ksft_skip
	fi
	wait_for $soon osts_match "$1" && return
	diag "_OST was told: $(osts | paste -s -d , -)"
	return 1
}

# --- the steps ---------------------------------------------------------------

prerequisites()
{
	[ "$(id -u)" -eq 0 ] || skip_all "must be run as root"

	cpus=$(awk '$3 == "sysfs" { print $2; exit }' /proc/mounts)
	[ -n "$cpus" ] || skip_all "sysfs is not mounted"
	acpi=$cpus/firmware/acpi/hotplug/processor
	cpus=$cpus/devices/system/cpu

	[ -e "$cpus/online" ] || skip_all "no CPU hotplug in this kernel"
	[ -e "$acpi" ] || skip_all "no ACPI processor devices here"
	present=$(cat "$cpus/present")
	if [ "$present" = "$(cat "$cpus/possible")" ]; then
		skip_all "this machine has all the CPUs that it can have: $present"
	fi
	for tool in awk cut mktemp paste sed seq taskset tr; do
		command -v $tool >/dev/null || skip_all "no $tool here"
	done
}

check_added()
{
	mask_has possible "$cpu" || return
	if [ -e "$cpus/enabled" ]; then
		mask_is enabled "$(cat "$cpus/present")" || return
	fi
	! mask_has online "$cpu" || diag "cpu$cpu went online by itself"
}

# $*: files that the CPU must have if CPU 0 has them
check_sysfs()
{
	for name; do
		[ -e "$cpus/cpu0/$name" ] || continue	# no CPU has it
		[ -e "$cpus/cpu$cpu/$name" ] && continue
		diag "cpu0/$name has no counterpart in cpu$cpu"
		return 1
	done
}

# $1: 1 online, 0 offline
switch()
{
	echo "$1" >"$cpus/cpu$cpu/online" || return
	[ "$(cat "$cpus/cpu$cpu/online")" = "$1" ] || return
	if [ "$1" = 1 ]; then
		mask_has online "$cpu" && ! mask_has offline "$cpu"
	else
		mask_has offline "$cpu" && ! mask_has online "$cpu"
	fi
}

check_task()
{
	start_task || return
	[ "$(task_cpu)" = "$cpu" ] && return
	diag "a task pinned to cpu$cpu runs on cpu$(task_cpu)"
	return 1
}

check_interrupts()
{
	for kind in timer_interrupts ipis; do
		count=$($kind)
		stop_task
		start_task		# sends the CPU an IPI, if it is idle
		[ "$($kind)" -gt "$count" ] && continue
		diag "$kind of cpu$cpu do not rise above $count"
		return 1
	done
}

# Does the task run on another CPU?
check_moved()
{
	task_works && [ "$(task_cpu)" != "$cpu" ]
}

check_masks()
{
	mask_is present "$present" && mask_is online "$online" &&
		mask_is offline "$offline"
}

cleanup()
{
	stop_task
	stop_trace
	[ -z "$uevent_pid" ] || kill "$uevent_pid"
	rm -f "$uevents"
}

while getopts t:h opt; do
	case $opt in
	t)	patience=$OPTARG ;;
	h)	echo "$usage"
		exit ;;
	*)	echo "$usage" >&2
		exit 1 ;;
	esac
done

echo "TAP version 13"
prerequisites
trap cleanup EXIT
trap 'exit 1' INT TERM
start_uevents
start_trace
online=$(cat "$cpus/online")
offline=$(cat "$cpus/offline")

diag "waiting for a CPU to be added ($patience s)"
wait_for "$patience" new_cpu ||
	skip_all "nobody added a CPU within $patience s"
wait_for $soon test -e "$cpus/cpu$cpu/online"
echo "1..$nr_tests"
diag "cpu$cpu was added"

check_added
result $? "add: masks"
check_sysfs online hotplug/state crash_notes uevent
result $? "add: sysfs"
one_uevent add
result $? "add: uevent"
check_osts 'source=[01] status=0x0'
result $? "add: _OST"

switch 1 && check_sysfs topology/core_id
result $? "online"
mask_has online "$cpu" || give_up "work and eject" "cpu$cpu is not online"
check_task
result $? "online: a task runs there"
check_interrupts
result $? "online: timer ticks and IPIs arrive"
switch 0 && check_moved
result $? "offline: the task goes on elsewhere"
stop_task
switch 1 && check_task
result $? "online again: a task runs there"

[ -z "$trace" ] || : >"$trace/trace"
diag "waiting for the request to eject cpu$cpu ($patience s)"
if ! wait_for "$patience" cpu_gone; then
	result 1 "eject: cpu$cpu is there after $patience s"
	give_up "eject" "cpu$cpu was not ejected"
fi
wait_for $soon test ! -e "$cpus/cpu$cpu"

check_masks
result $? "eject: masks"
test ! -e "$cpus/cpu$cpu"
result $? "eject: sysfs"
one_uevent remove
result $? "eject: uevent"
check_osts 'source=(3|259) status=0x84,source=(3|259) status=0x0'
result $? "eject: _OST"
check_moved
result $? "eject: the task goes on elsewhere"

finish
