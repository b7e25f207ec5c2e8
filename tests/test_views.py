"""Row 29: whoever tells users which CPUs there are says the same."""

import pytest

from cpuhp import scenario
from cpuhp.gate import parse_cpus

CGROUP = "/sys/fs/cgroup"


def views(vm):
    """What each of them takes for the CPUs that are online."""
    return {
        "sysfs": vm.masks()["online"],
        "cgroup": parse_cpus(vm.sh(f"cat {CGROUP}/cpuset.cpus.effective")),
        "its child": parse_cpus(vm.sh(f"cat {CGROUP}/child/cpuset.cpus.effective")),
        "lscpu": parse_cpus(vm.sh("lscpu | sed -n 's/^On-line CPU(s) list: *//p'")),
        "lscpu -p": set(map(int, vm.sh("lscpu -p=CPU | grep -v '^#'").split())),
        "cpuinfo": set(map(int, vm.sh("sed -n 's/^processor.*: //p' /proc/cpuinfo").split())),
        "stat": set(map(int, vm.sh("sed -n 's/^cpu\\([0-9][0-9]*\\) .*/\\1/p' /proc/stat").split())),
    }


@pytest.mark.vm(smp="cpus=2,maxcpus=4", userland=True)
def test_all_agree(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |       -> 2 added, online, offline, online, ejected, twice: sysfs, cgroups, nproc and lscpu agree at each step;
                     a cgroup that wants CPU 2 has it whenever it is online
    """
    def all_see(*online):
        expected = set(online)
        assert views(vm) == dict.fromkeys(views(vm), expected)
        assert int(vm.sh("nproc")) == len(expected)
        present = sorted(vm.masks()["present"])
        assert vm.sh("lscpu -p=CPU,ONLINE -a | grep -v '^#'").split() == \
            [f"{cpu},{'Y' if cpu in expected else 'N'}" for cpu in present]
        assert vm.sh(f"cat {CGROUP}/pinned/cpuset.cpus") == "1-2"
        assert parse_cpus(vm.sh(f"cat {CGROUP}/pinned/cpuset.cpus.effective")) == {1, 2} & expected

    vm.sh(f"cd {CGROUP} && echo +cpuset > cgroup.subtree_control && mkdir child pinned && echo 1-2 > pinned/cpuset.cpus")
    all_see(0, 1)
    for _ in range(2):
        scenario.add(vm, 2)
        all_see(0, 1)
        scenario.online(vm, 2)
        all_see(0, 1, 2)
        where = vm.sh(f"sh -c 'echo $$ > {CGROUP}/pinned/cgroup.procs;"
                      " sed -n \"s/^Cpus_allowed_list:[[:space:]]*//p\" /proc/self/status'")
        assert where == "1-2"
        scenario.offline(vm, 2)
        all_see(0, 1)
        scenario.online(vm, 2)
        scenario.eject(vm, 2)
        all_see(0, 1)
