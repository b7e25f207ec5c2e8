"""Options and fixtures.  A test names its VM in a marker and gets it booted:

    @pytest.mark.vm(smp="cpus=1,maxcpus=4")
    def test_it(vm): ...

After a test has passed, the gate (cpuhp/gate.py) must hold for each VM that it used.
Several VMs, or one made late: the fixture `boot` is a context manager that takes the same words.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from cpuhp import paths  # noqa: E402
from cpuhp.vm import VM, Spec  # noqa: E402

DIALECTS = ("online-capable", "hidden", "disabled")
PARTS = paths.common.PARTS["linux"]
FIXTURES_OF_GUESTS = {"vm", "boot"}
_VMS = pytest.StashKey[list[VM]]()


def pytest_addoption(parser):
    parser.addoption("--linux", default=paths.LINUX_VERSION, help="the guest kernel: out/linux-<version>/Image")
    parser.addoption("--debug-kernel", default="", metavar="NAME",
                     help="take out/linux-<version>-<NAME>/Image for it; tests that compare it with other kernels are skipped")
    parser.addoption("--part", default="", choices=PARTS,
                     help="take out/linux-<version>-<part>/Image, with the series up to the end of this part; "
                          "tests that need a later one, or no guest, are left out")
    parser.addoption("--one-dialect", nargs="?", type=int, const=0, metavar="N",
                     help="each test with one of the dialects, in turns, which begin with the N-th")
    parser.addoption("--sanitized-qemu", action="store_true", help="take out/qemu-<version>-sanitize for QEMU")


def pytest_configure(config):
    paths.DEBUG = config.getoption("--debug-kernel")
    paths.PART = config.getoption("--part")
    paths.SANITIZED = config.getoption("--sanitized-qemu")
    if paths.SANITIZED:     # what a QEMU that ends leaves to the system is no leak of a VM that lives
        os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    config.addinivalue_line("markers", "vm(**spec): the VM of the test, in the words of cpuhp.vm.Spec")
    config.addinivalue_line("markers", "once: the guest's kernel base does not matter; make check runs it with the lowest")
    config.addinivalue_line("markers", "last: one base is enough, which make check takes the highest for")
    config.addinivalue_line("markers", "closer: make check runs it once more, with the lockdep kernel of the highest base "
                                       "and one of the dialects")
    config.addinivalue_line("markers", "of_debug(name): wants what that debug kernel alone has; with others it is no test")
    config.addinivalue_line("markers", "check_all: make check leaves it to make check-all, unless something is asked for")
    config.addinivalue_line("markers", "every_dialect: it does not take turns")
    config.addinivalue_line("markers", "part(name): needs the series up to the end of this part, and not core alone")
    config.addinivalue_line("markers", "xdist_group(name): tests that cannot run at the same time")


def pytest_collection_modifyitems(config, items):
    others = [item for item in items if any(mark.args != (paths.DEBUG,) for mark in item.iter_markers("of_debug"))]
    if paths.PART:
        others += [item for item in items if not FIXTURES_OF_GUESTS & set(item.fixturenames)
                   or PARTS.index(part_of(item)) > PARTS.index(paths.PART)]
    else:
        for item in items:
            part_of(item)
    first = config.getoption("--one-dialect")
    if first is not None:
        others += of_other_dialects(items, first)
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


def part_of(item):
    """The part of the series that a test needs."""
    mark = item.get_closest_marker("part")
    part = mark.args[0] if mark else PARTS[0]
    if part not in PARTS:
        raise pytest.UsageError(f"{item.nodeid}: part({part!r}): there is {', '.join(PARTS)}")
    return part


def of_other_dialects(items, first):
    """All but one dialect of each test: the next test keeps the next one.  With another @first, each keeps another one."""
    kept = {}
    others = []
    for item in items:
        dialect = item.callspec.params.get("dialect") if hasattr(item, "callspec") else None
        if not dialect or item.get_closest_marker("every_dialect"):
            continue
        if dialect != kept.setdefault(item.function, DIALECTS[(len(kept) + first) % len(DIALECTS)]):
            others.append(item)
    return others


@pytest.fixture(params=DIALECTS)
def dialect(request):
    """Each of the ways in which firmware describes an absent CPU."""
    return request.param


@pytest.fixture
def linux(request):
    return request.config.getoption("--linux")


@pytest.fixture
def directory(request):
    """The test's own directory below out/test, empty."""
    base = "" if request.node.get_closest_marker("once") else request.config.getoption("--linux")
    name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
    path = paths.OUT / "test" / "-".join(filter(None, (base, paths.DEBUG, paths.PART, name)))
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def skip_if_not_of_debug(spec):
    """Debug kernels are not compared with others."""
    if paths.DEBUG and spec.kernel != "patched":
        pytest.skip(f"needs another kernel than the one with {paths.DEBUG}")


@pytest.fixture
def boot(request, linux, directory):
    """Boot VMs: `with boot(smp="cpus=2", ...) as vm:`; the gate holds at the end of each block."""
    vms = request.node.stash.setdefault(_VMS, [])

    @contextlib.contextmanager
    def booted(**words):
        spec = dataclasses.replace(Spec(linux=linux), **words)
        skip_if_not_of_debug(spec)
        vm = VM(spec, directory / f"vm{len(vms)}")
        vms.append(vm)
        with vm:
            yield vm
            vm.gate()

    return booted


@pytest.fixture
def vm(request, linux, directory):
    """The VM of the test's marker; with the fixture `dialect`, once for each dialect."""
    words = {"linux": linux}
    if "dialect" in request.fixturenames:
        words["dialect"] = request.getfixturevalue("dialect")
    for marker in reversed(list(request.node.iter_markers("vm"))):
        words.update(marker.kwargs)
    spec = Spec(**words)
    skip_if_not_of_debug(spec)
    vm = VM(spec, directory)
    request.node.stash.setdefault(_VMS, []).append(vm)
    with vm:
        yield vm


@pytest.hookimpl(hookwrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """The gate on the test's VM is a part of the test, not of its teardown."""
    outcome = yield
    outcome.get_result()
    vm = pyfuncitem.funcargs.get("vm")
    if isinstance(vm, VM) and vm.spec.boots:
        vm.gate()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failed test shows the end of each console."""
    report = (yield).get_result()
    if report.failed:
        for vm in item.stash.get(_VMS, []):
            report.sections.append((f"{vm.spec}", vm.console_tail()))
