"""Logical ids follow the order of the MADT, whatever is plugged at boot, and are those of an unpatched 6.12."""

import re

import pytest

from cpuhp import kexec, scenario

SMP = "cpus=2,maxcpus=6"
BOOTED = re.compile(r"CPU(\d+): Booted secondary processor (0x[0-9a-f]+)")


def plugged(*cores):
    """Arguments that plug these cores before the machine starts."""
    return tuple(word for core in cores for word in ("-device", f"cortex-a57-arm-cpu,id=core{core},core-id={core}"))


def mpidrs(vm):
    """The MPIDR of each logical id that this boot has brought up; core-id=N has MPIDR N here."""
    return {int(cpu): int(mpidr, 16) for cpu, mpidr in BOOTED.findall(vm.dmesg())}


@pytest.mark.vm(smp=SMP, args=plugged(3), reboots=True)
def test_id_is_the_number_of_the_slot(vm, dialect):
    """
    CPU  0 1 2 3 | 4 5
         x x - x |            3 is plugged at start: it is cpu3
         x x x - |   x        -> 2 and 5 added, 3 ejected: 2 and 5 keep their ids after a reboot, and 3 gets its own again
    """
    assert vm.masks()["possible"] == set(range(6))
    assert vm.masks()["present"] == vm.masks()["online"] == {0, 1, 3}
    assert mpidrs(vm) == {1: 1, 3: 3}
    for cpu in (2, 5):
        scenario.add_and_work(vm, cpu)
    scenario.eject(vm, 3)

    vm.qmp("system_reset")
    vm.wait_boot()
    assert vm.masks()["present"] == vm.masks()["online"] == {0, 1, 2, 5}
    assert mpidrs(vm) == {1: 1, 2: 2, 5: 5}
    scenario.add_and_work(vm, 3)
    assert mpidrs(vm) == {1: 1, 2: 2, 3: 3, 5: 5}


def test_ids_are_those_of_unpatched(boot, linux):
    """
    CPU  0 1 2 3 | 4 5
         x x - x |            the unpatched 6.12 numbers the same CPUs in the same way; 6.1 counts only those that are enabled
    """
    numbers = []
    for kernel in ("patched", "base"):
        if kernel == "base" and linux == "6.1":
            pytest.skip("6.1 numbers only the CPUs that are enabled")
        with boot(smp=SMP, args=plugged(3), kernel=kernel, directories=kernel == "patched") as vm:
            assert vm.masks()["online"] == {0, 1, 3}
            numbers.append(mpidrs(vm))
    assert numbers[0] == numbers[1] == {1: 1, 3: 3}


# nr_cpus= and the like; the core of each id; what is online
PARAMETERS = {
    "maxcpus=2": ({0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5}, {0, 3}),
    "nr_cpus=5": ({0: 0, 1: 1, 2: 2, 3: 3, 4: 5}, {0, 3, 4}),
    "nr_cpus=4": ({0: 0, 1: 1, 2: 3, 3: 5}, {0, 2, 3}),
    "nr_cpus=3": ({0: 0, 1: 3, 2: 5}, {0, 1, 2}),
    "nr_cpus=2": ({0: 0, 1: 3}, {0, 1}),
}


@pytest.mark.parametrize("append", PARAMETERS)
def test_ids_with_parameters(boot, append):
    """
    CPU  0 1 2 3 4 5          0, 3 and 5 are there: maxcpus= counts these; nr_cpus= leaves out 4, 2 and 1 first, then 5
         x - - x - x
    """
    cores, online = PARAMETERS[append]
    with boot(smp="cpus=1,maxcpus=6", args=plugged(3, 5), append=append) as vm:
        assert vm.masks()["possible"] == set(cores)
        assert vm.masks()["online"] == online
        assert vm.masks()["present"] == {cpu for cpu, core in cores.items() if core in (0, 3, 5)}
        for cpu in sorted(vm.masks()["possible"] - vm.masks()["online"]):
            if cpu not in vm.masks()["present"]:
                since = vm.mark()
                vm.device_add(cores[cpu])
                assert scenario.answer(vm, cores[cpu], since) == scenario.OST_SUCCESS
            scenario.online(vm, cpu)
            scenario.works(vm, cpu)
        assert mpidrs(vm) == {cpu: core for cpu, core in cores.items() if cpu}
        for core in set(range(6)) - set(cores.values()) - {5}:
            scenario.refused_add(vm, core, rf"CPU with UID {core}, MPIDR 0x{core:x} cannot be used: nr_cpus=")


def test_ids_after_kexec(boot, linux, dialect):
    """
    CPU  0 1 2 3
         x - - x     -> 2 added: the next kernel, whose MADT calls 2 what it was, has the same ids
    """
    with boot(smp="cpus=1,maxcpus=4", dialect=dialect, args=(*kexec.disks(linux), *plugged(3))) as vm:
        scenario.add(vm, 2)
        scenario.online(vm, 2)
        kexec.reboot(vm)
        assert vm.masks()["online"] == {0, 2, 3}
        assert mpidrs(vm) == {2: 2, 3: 3}
