"""Write cpio archives (newc) that depend on nothing but their contents: no inode, owner or time of the build machine."""

import stat


def _entry(name: str, mode: int, data: bytes, rdev: tuple[int, int], ino: int) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (ino, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
    return _pad(head) + _pad(data)


def _pad(block: bytes) -> bytes:
    return block + bytes(-len(block) % 4)


class Archive:
    """An archive in memory; parents of a file are made as needed."""

    def __init__(self) -> None:
        self._entries: list[bytes] = []
        self._names: set[str] = set()

    def _add(self, name: str, mode: int, data: bytes = b"", rdev: tuple[int, int] = (0, 0)) -> None:
        parent = name.rpartition("/")[0]
        if parent and parent not in self._names:
            self.directory(parent)
        self._names.add(name)
        self._entries.append(_entry(name, mode, data, rdev, len(self._entries) + 1))

    def directory(self, name: str) -> None:
        self._add(name, stat.S_IFDIR | 0o755)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self._add(name, stat.S_IFREG | mode, data)

    def symlink(self, name: str, target: str) -> None:
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def char_device(self, name: str, major: int, minor: int) -> None:
        self._add(name, stat.S_IFCHR | 0o600, rdev=(major, minor))

    def pack(self) -> bytes:
        packed = b"".join(self._entries) + _entry("TRAILER!!!", 0, b"", (0, 0), 0)
        return packed + bytes(-len(packed) % 512)
