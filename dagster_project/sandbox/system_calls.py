"""The system calls that a program in the sandbox is refused, as a seccomp filter."""

from __future__ import annotations

import errno
import platform
import struct

REFUSED = {
    # other processes' memory and files
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # mounts and namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262),
    # large or often broken parts of the kernel
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "vmsplice": (278, 75),
    # any socket but a pair of connected ones: vsock is in no network namespace
    "socket": (41, 198),
    # memory that no limit counts
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # the machine
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "nfsservctl": (180, 42),
    "vhangup": (153, 58),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "syslog": (103, 116),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "personality": (135, 92),
    "lookup_dcookie": (212, 18),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "_sysctl": (156, None),
}
"""Numbers on x86-64 and on 64-bit ARM; None where there is no such call."""

PROCESSORS = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""What the kernel calls a processor, and its place in the table."""

CLONE, CLONE3, IOCTL, PRLIMIT = (56, 220), (435, 435), (16, 29), (302, 261)
LAST_KNOWN = 450
NEW_NAMESPACES = 0x7E02_0000
INTO_THE_TERMINAL = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX: input as if it had been typed."""

NUMBER, PROCESSOR, FIRST, SECOND = 0, 4, 16, 24
"""Where things stand in what the filter sees; of arguments, the lower half."""

ALLOW, KILL = 0x7FFF_0000, 0x8000_0000
REFUSE, UNKNOWN = 0x0005_0000 | errno.EPERM, 0x0005_0000 | errno.ENOSYS


def seccomp_filter(machine: str | None = None) -> bytes | None:
    """The filter as a BPF program; None for a processor that it is not made for.

    Every call that is newer than the table is refused as unknown, and a program for another processor
    than this, such as a 32-bit one, ends.

    Args:
        machine: a processor, as `platform.machine` calls it; default: this one.
    """
    known = PROCESSORS.get(machine or platform.machine())
    if known is None:
        return None
    audited, at = known
    program = [_load(PROCESSOR), _unless_equal(audited, 1), _jump(1), _answer(KILL), _load(NUMBER)]
    program += [_unless_above(LAST_KNOWN, 1), _answer(UNKNOWN)]
    for numbers in REFUSED.values():
        if numbers[at] is not None:
            program += [_unless_equal(numbers[at], 1), _answer(REFUSE)]
    program += [_unless_equal(CLONE3[at], 1), _answer(UNKNOWN)]  # libraries fall back to clone
    program += [_unless_equal(CLONE[at], 4), _load(FIRST)]
    program += [_unless_any_bit(NEW_NAMESPACES, 1), _answer(REFUSE), _answer(ALLOW)]
    program += [_unless_equal(PRLIMIT[at], 4), _load(FIRST)]
    program += [_unless_equal(0, 1), _answer(ALLOW), _answer(REFUSE)]
    program += [_unless_equal(IOCTL[at], 5), _load(SECOND)]
    for request in INTO_THE_TERMINAL:
        program += [_unless_equal(request, 1), _answer(REFUSE)]
    return b"".join([*program, _answer(ALLOW)])


def _load(offset: int) -> bytes:
    return _instruction(0x20, offset)


def _answer(value: int) -> bytes:
    return _instruction(0x06, value)


def _jump(over: int) -> bytes:
    return _instruction(0x05, over)


def _unless_equal(value: int | None, over: int) -> bytes:
    """Go over so many instructions unless what was loaded is this."""
    return _instruction(0x15, value or 0, 0, over)


def _unless_above(value: int, over: int) -> bytes:
    """Go over so many instructions unless what was loaded is above this."""
    return _instruction(0x25, value, 0, over)


def _unless_any_bit(bits: int, over: int) -> bytes:
    """Go over so many instructions unless what was loaded has any of these bits."""
    return _instruction(0x45, bits, 0, over)


def _instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)
