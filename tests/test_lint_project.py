"""make lint on the project, but for what takes long."""

import pytest

from cpuhp import paths  # noqa: F401  (makes kitlib importable)
from kitlib import lint


def pytest_generate_tests(metafunc):
    """The checks of a kernel's series with that kernel, all others once; those of one series one after the other."""
    def marks(base):
        linux = base and base.kind == "linux"
        return [*([] if linux else [pytest.mark.once]), *([pytest.mark.xdist_group(base.name)] if base else [])]

    version = metafunc.config.getoption("--linux")
    metafunc.parametrize("check, base", [pytest.param(check, base, id=name, marks=marks(base))
                                         for name, check, base in lint.checks()
                                         if check is not lint.prefixes      # a quarter of an hour: make lint does it
                                         and (not base or base.kind != "linux" or base.version == version)])


def test_lint(check, base):
    assert lint.problems(check, base) == []
