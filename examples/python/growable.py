#!/usr/bin/env python3
"""A buffer that grows under views of it, by acre from Python.

    python3 growable.py libacre.so

A bytearray refuses to grow while a memoryview of it is alive, since it would have to move.  Here a
range of addresses is reserved once, which takes no memory, and memory is committed as it is needed:
nothing ever moves.
"""

import ctypes
import sys

ACRE_READ_WRITE = 3


class Mmap(ctypes.Structure):
    """acre_mmap of acre/mmap.h; `--layout` prints it, and a test compares that with C's."""

    _fields_ = [
        ("base", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("page_size", ctypes.c_size_t),
        ("backing", ctypes.c_size_t),
        ("offset", ctypes.c_uint64),
        ("private_", ctypes.c_size_t * 2),
        ("access", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
    ]


class Acre:
    """The functions of libacre.so that are used here."""

    def __init__(self, path):
        size, status = ctypes.c_size_t, ctypes.c_int
        handle = ctypes.POINTER(Mmap)
        library = ctypes.CDLL(path)
        self.reserve = library.acre_mmap_reserve
        self.reserve.argtypes = [size, ctypes.c_uint32, ctypes.c_void_p, handle]
        self.reserve.restype = status
        self.commit = library.acre_mmap_commit
        self.commit.argtypes = [handle, size, size]
        self.commit.restype = status
        self.unmap = library.acre_mmap_unmap
        self.unmap.argtypes = [handle]
        self.unmap.restype = status
        self.text = library.acre_status_text
        self.text.argtypes = [status]
        self.text.restype = ctypes.c_char_p

    def check(self, status):
        """Raises what a failed call returned."""
        if status < 0:
            raise OSError(-status, self.text(status).decode())


class Reservation:
    """Addresses, and memory behind the first of them; unmapped when nothing refers to it."""

    def __init__(self, acre, size):
        self.map = Mmap()
        self.committed = 0
        self.acre = acre
        acre.check(acre.reserve(size, ACRE_READ_WRITE, None, self.map))

    def __del__(self):
        self.acre.unmap(self.map)  # does nothing where reserve failed

    def commit_to(self, end):
        """Makes the first `end` bytes usable, and more in advance: at least twice as many."""
        if end > self.map.size:
            raise BufferError(f"the reservation has {self.map.size} bytes")
        if end > self.committed:
            page = self.map.page_size
            target = max(-(-end // page) * page, min(2 * self.committed, self.map.size))
            self.acre.check(
                self.acre.commit(self.map, self.committed, target - self.committed)
            )
            self.committed = target


class Growable:
    """Bytes that are appended to, while any number of views are alive."""

    def __init__(self, acre, most):
        self.memory = Reservation(acre, most)
        self.length = 0

    def append(self, data):
        self.memory.commit_to(self.length + len(data))
        ctypes.memmove(self.memory.map.base + self.length, data, len(data))
        self.length += len(data)

    def view(self, start=0, end=None):
        """A memoryview of the bytes; the memory stays as long as it does."""
        start, end, _ = slice(start, end).indices(self.length)
        array = (ctypes.c_ubyte * max(end - start, 0)).from_address(
            self.memory.map.base + start
        )
        array.memory = self.memory
        return memoryview(array).cast("B")


def print_layout(structure, name):
    """Lines "struct field offset size", and "struct size"."""
    for field, _ in structure._fields_:
        place = getattr(structure, field)
        print(name, field, place.offset, place.size)
    print(name, ctypes.sizeof(structure))
    print("ACRE_READ_WRITE", ACRE_READ_WRITE)


def main(path):
    old = bytearray(b"acre")
    with memoryview(old):
        try:
            old.extend(b"more")
        except BufferError as error:
            print("bytearray:", error)

    buffer = Growable(Acre(path), most=1 << 28)
    buffer.append(b"acre")
    first = buffer.view()
    for _ in range(64):
        buffer.append(b"x" * (1 << 20))
    buffer.view(0, 1)[0] = ord("A")
    print(f"acre: grew to {buffer.length >> 20} MiB; the first view reads {bytes(first).decode()}")
    del buffer
    print(f"acre: and still does without the buffer: {bytes(first).decode()}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} LIBACRE.SO | --layout")
    if sys.argv[1] == "--layout":
        print_layout(Mmap, "acre_mmap")
    else:
        main(sys.argv[1])
