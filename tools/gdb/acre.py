"""acre in gdb: `source tools/gdb/acre.py` in a session whose program has acre's debug information.

acre stacks            pools and their stacks, and single stacks: where each lies, whether it is out
acre arenas            arenas that are variables: globals, and locals of the selected thread
acre backtrace EXPR    frames of a coroutine that waits; EXPR is its ucontext_t (x86-64, aarch64)

acre_mmap, acre_arena, acre_stack, acre_area and acre_image are printed in one line.
"""

import gdb

MOST = 32  # stacks shown of each pool


def integer(value):
    return int(value.cast(gdb.lookup_type("unsigned long")))


def size_text(size):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return "%d %s" % (size, unit)
        size //= 1024


def text_of(pointer):
    return pointer.string(errors="replace") if integer(pointer) else ""


def access_text(access):
    return "".join(letter if access & bit else "-" for bit, letter in ((1, "r"), (2, "w"), (4, "x")))


# ---- pretty-printers ----------------------------------------------------------------------------


class MapPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        size = integer(self.value["size"])
        if size == 0:
            return "acre_mmap: empty"
        flags = integer(self.value["flags"])
        kinds = ((16, "reservation"), (17, "file"), (18, "ring"), (19, "twin"), (20, "clone"), (21, "adopted"),
                 (22, "sealed"), (0, "shared"), (8, "locked"))
        named = [name for bit, name in kinds if flags >> bit & 1]
        return "acre_mmap: 0x%x, %s, %s%s" % (integer(self.value["base"]), size_text(size),
                                              access_text(integer(self.value["access"])),
                                              "".join(", " + name for name in named))


class ArenaPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        cursor, limit = integer(self.value["cursor"]), integer(self.value["limit"])
        if limit == 0:
            return "acre_arena: empty"
        return "acre_arena: cursor 0x%x, %s committed beyond it" % (cursor, size_text(limit - cursor))


class StackPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        size = integer(self.value["size"])
        if size == 0:
            return "acre_stack: none"
        guard = "markers" if integer(self.value["guard_kind"]) == 1 else "protected pages"
        return "acre_stack: 0x%x, %s, guard by %s, header 0x%x" % (integer(self.value["base"]), size_text(size), guard,
                                                                  integer(self.value["header"]))


class AreaPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        start, end = integer(self.value["start"]), integer(self.value["end"])
        name = text_of(self.value["path"]) or text_of(self.value["name"])
        return "acre_area: 0x%x-0x%x, %s, %s%s" % (start, end, size_text(end - start),
                                                   access_text(integer(self.value["access"])), name and " " + name)


class ImagePrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        size = integer(self.value["size"])
        return "acre_image: " + (size_text(size) if size else "none")


PRINTERS = {"acre_mmap": MapPrinter, "acre_arena": ArenaPrinter, "acre_stack": StackPrinter, "acre_area": AreaPrinter,
            "acre_image": ImagePrinter}


def find_printer(value):
    kind = value.type.unqualified()
    names = (kind.name, kind.strip_typedefs().tag)
    for name in names:
        if name in PRINTERS:
            return PRINTERS[name](value)
    return None


# ---- what the stack package keeps ---------------------------------------------------------------


def records(table, kind):
    """(index, record) of a lasting_table."""
    count = integer(table["count"].dereference())
    shift = integer(table["shift"])
    for index in range(count):
        chunk = integer(table["chunks"][index >> shift])
        if chunk:
            address = chunk + (index & (1 << shift) - 1) * integer(table["record_size"])
            yield index, gdb.Value(address).cast(kind.pointer()).dereference()


def print_single_stacks():
    try:
        table = gdb.parse_and_eval("'stack/registry.c'::records")
        kind = gdb.lookup_type("struct record")
    except gdb.error:
        return
    shown = 0
    for _, record in records(table, kind):
        if integer(record["generation"]) & 1:
            base, size = integer(record["base"]), integer(record["size"])
            print("single  0x%x-0x%x  %s  header 0x%x  tag %d" % (base, base + size, size_text(size),
                                                                 integer(record["header"]), integer(record["tag"])))
            shown += 1
    print("%d single stacks" % shown)


def print_pool(index, pool):
    stride, guard, top = (integer(pool[name]) for name in ("stride", "guard", "top"))
    out, shown = 0, 0
    print("pool %d at 0x%x: stacks of %s, guards of %s" % (index, integer(pool.address), size_text(top - guard),
                                                         size_text(guard)))
    for number in range(integer(pool["region_count"])):
        region = gdb.Value(integer(pool["regions"][number])).cast(gdb.lookup_type("struct region").pointer())
        states = gdb.Value(integer(region["states"])).cast(gdb.lookup_type("unsigned int").pointer())
        end = integer(region["end"])
        for slot in range(integer(region["frontier"])):
            if integer(states[slot]) & 1:
                out += 1
                if shown < MOST:
                    shown += 1
                    start = end - (slot + 1) * stride  # from the highest address down
                    print("  out   0x%x-0x%x  guard from 0x%x" % (start + guard, start + top, start))
    if out > shown:
        print("  ... and %d more" % (out - shown))
    print("  %d out, %d free in the shared list, %d cold" % (out, integer(pool["free_count"]),
                                                         integer(pool["max_stacks"]) - integer(pool["ready"])))


class Stacks(gdb.Command):
    """Pools and their stacks, and single stacks."""

    def __init__(self):
        super().__init__("acre stacks", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        pools = 0
        try:
            table = gdb.parse_and_eval("'stack/pool_create.c'::pools")
        except gdb.error:
            table = None
        if table is not None:
            for index, pool in records(table, gdb.lookup_type("struct acre_stack_pool")):
                if integer(pool["taken"]):
                    print_pool(index, pool)
                    pools += 1
        print("%d pools" % pools)
        print_single_stacks()


# ---- arenas -------------------------------------------------------------------------------------


def is_arena(kind):
    return kind.unqualified().name == "acre_arena" or kind.strip_typedefs().unqualified().tag == "acre_arena"


def variables():
    """(where, name, value) of arenas among globals, statics and locals."""
    seen = set()
    frame = gdb.newest_frame()
    while frame is not None:
        try:
            block = frame.block()
        except RuntimeError:
            block = None
        while block is not None:
            where = "global" if block.is_global or block.is_static else frame.name()
            for symbol in block:
                if symbol.is_variable and is_arena(symbol.type):
                    value = symbol.value(frame) if symbol.needs_frame else symbol.value()
                    if value.address is not None and integer(value.address) not in seen:
                        seen.add(integer(value.address))
                        yield where, symbol.name, value
            block = block.superblock
        frame = frame.older()


class Arenas(gdb.Command):
    """Arenas that are variables: globals, and locals of the selected thread."""

    def __init__(self):
        super().__init__("acre arenas", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        count = 0
        for where, name, value in variables():
            print("%s (%s)  %s" % (name, where, ArenaPrinter(value).to_string()))
            count += 1
        print("%d arenas" % count)


# ---- coroutines ---------------------------------------------------------------------------------


def saved_registers(context):
    """Registers that a ucontext_t holds, by gdb's names; None on other processors."""
    machine = gdb.newest_frame().architecture().name()
    saved = context["uc_mcontext"]
    if machine == "i386:x86-64":
        gregs = saved["gregs"]
        numbers = {"rbx": 11, "rbp": 10, "r12": 4, "r13": 5, "r14": 6, "r15": 7, "rsp": 15, "rip": 16}
        return {name: integer(gregs[number]) for name, number in numbers.items()}
    if machine == "aarch64":
        registers = {"x%d" % number: integer(saved["regs"][number]) for number in range(19, 31)}
        registers["sp"], registers["pc"] = integer(saved["sp"]), integer(saved["pc"])
        return registers
    return None


class Backtrace(gdb.Command):
    """Frames of a coroutine that waits: acre backtrace EXPR, where EXPR is its ucontext_t."""

    def __init__(self):
        super().__init__("acre backtrace", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        registers = saved_registers(gdb.parse_and_eval(argument))
        if registers is None:
            raise gdb.GdbError("not on this processor")
        gdb.newest_frame().select()
        before = {name: integer(gdb.parse_and_eval("(unsigned long)$" + name)) for name in registers}
        try:
            for name, value in registers.items():
                gdb.execute("set var $%s = %d" % (name, value))
            gdb.execute("backtrace")
        finally:
            for name, value in before.items():
                gdb.execute("set var $%s = %d" % (name, value))


class Acre(gdb.Command):
    """acre stacks, acre arenas, acre backtrace EXPR"""

    def __init__(self):
        super().__init__("acre", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


Acre()
Stacks()
Arenas()
Backtrace()
gdb.pretty_printers.append(find_printer)
