"""Row 35, as counters: what a CPU costs does not depend on how many there may be."""

from cpuhp import scenario

READ = "gicv3_redist_read"
MOST = 16       # reads of an online; a search from the first redistributor needs two for each that is before


def test_reads_of_an_online(boot, directory):
    """
    CPU  0 1 | 2 ... 63
         x x |             -> 2 and 60: their redistributors are found with few reads, the 61st as soon as the third
    """
    log = directory / "trace.log"
    with boot(smp="cpus=2,maxcpus=64", memory="512M", args=("-trace", f"enable={READ}", "-D", str(log))) as vm:
        def reads_of_online(cpu):
            before = log.read_text().count(READ)
            scenario.online(vm, cpu)
            return log.read_text().count(READ) - before

        for cpu in (2, 60):
            scenario.add(vm, cpu)
            first = reads_of_online(cpu)
            scenario.offline(vm, cpu)
            assert 0 < first <= MOST
            assert 0 < reads_of_online(cpu) <= MOST
