"""Row 18: firmware refuses to power on a CPU that is there, and later allows it."""

import pytest

from cpuhp import scenario
from cpuhp.look import messages

pytestmark = pytest.mark.closer


def deny(vm, path, denied):
    """PSCI's CPU_ON of a CPU is denied, or no longer."""
    vm.qmp("qom-set", path=path, property="x-psci-deny-on", value=denied)


def refuses(vm, cpu):
    """To bring it online fails with EPERM, once more as well, and is nothing to talk about."""
    log, masks = messages(vm), vm.masks()
    for _ in range(2):
        result = vm.run(f"echo 1 > {scenario.CPU_SYSFS}/cpu{cpu}/online")
        assert result.status != 0
        assert "Operation not permitted" in result.output
    assert messages(vm) == log
    assert vm.masks() == masks


@pytest.mark.vm(smp="cpus=2,maxcpus=4")
def test_denied_in_mid_life(vm, dialect):
    """
    CPU  0 1 | 2 3
         x x |         -> 2 added and denied: EPERM -> allowed: works -> offline and denied: EPERM -> allowed: works;
                       the same with 1, which was there at boot; ejected while it is denied
    """
    def denied_and_allowed(cpu, path):
        deny(vm, path, True)
        refuses(vm, cpu)
        deny(vm, path, False)
        scenario.online(vm, cpu)
        scenario.works(vm, cpu)
        scenario.offline(vm, cpu)

    scenario.add(vm, 2, **{"x-psci-deny-on": True})
    added = "/machine/peripheral/core2"
    booted, = [entry["qom-path"] for entry in vm.qmp("query-hotpluggable-cpus") if entry["props"]["core-id"] == 1]
    denied_and_allowed(2, added)
    denied_and_allowed(2, added)
    scenario.offline(vm, 1)
    denied_and_allowed(1, booted)

    deny(vm, added, True)
    refuses(vm, 2)
    scenario.eject(vm, 2)
    scenario.add_and_work(vm, 2)
