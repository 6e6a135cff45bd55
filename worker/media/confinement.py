"""What a process that reads strangers' files gives up before it reads any: network, files, other processes, privileges.

Three fences, each of which holds where the others are missing: namespaces of its own (user, network, IPC), Landlock (which files may be
read; no TCP, no signals to others) and a seccomp filter (system calls that examining never makes). None needs a privilege; what
the system lacks is told to the caller, who tells the operator. Only the standard library, and no thread may run yet:
each fence is one thread's, and those that it starts inherit it.

Sources: Linux's Documentation/userspace-api/landlock.rst and seccomp_filter.rst, include/uapi/linux/{landlock,
seccomp,filter,audit}.h and asm/unistd.h of x86 and arm64 (6.18), read 2026-11-24.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import Final

FENCES: Final = ("network", "files", "calls")
"""What `confine` tells: whether the process is cut off from each."""

_OPEN_FILES: Final = 64
_SET_DUMPABLE, _SET_SECCOMP, _NO_NEW_PRIVILEGES = 4, 22, 38  # of prctl(2)
_NEW_IPC, _NEW_USER, _NEW_NET = 0x08000000, 0x10000000, 0x40000000  # of unshare(2)

# Landlock: rights that are governed, by the version of the kernel's interface that brought them.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_ASKED, _PATH_BENEATH = 1, 1
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_FILE_RIGHTS: Final = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
_TCP_SINCE, _TCP = 4, 0b11  # bind, connect
_SCOPES_SINCE, _SCOPES = 6, 0b11  # abstract sockets, signals

_SYSTEM: Final = (
    "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/ssl/openssl.cnf", "/dev/urandom", "/dev/random", "/dev/zero",
    "/sys/devices/system/cpu", "/sys/devices/system/node", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/self",
)  # fmt: skip

# System calls that examining never makes, with their numbers on x86-64 and arm64 (None: it has no such call).
_DENIED: Final[tuple[tuple[str, int | None, int | None], ...]] = (
    # other machines and other processes
    ("socket", 41, 198), ("socketpair", 53, 199), ("kill", 62, 129), ("tkill", 200, 130), ("ptrace", 101, 117),
    ("rt_sigqueueinfo", 129, 138), ("rt_tgsigqueueinfo", 297, 240), ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271), ("kcmp", 312, 272), ("pidfd_send_signal", 424, 424), ("pidfd_open", 434, 434),
    ("pidfd_getfd", 438, 438), ("process_madvise", 440, 440), ("process_mrelease", 448, 448),
    ("shmget", 29, 194), ("semget", 64, 190), ("msgget", 68, 186), ("mq_open", 240, 180),
    # other programs
    ("fork", 57, None), ("vfork", 58, None), ("execve", 59, 221), ("execveat", 322, 281),
    # the file system
    ("truncate", 76, 45), ("rename", 82, None), ("mkdir", 83, None), ("rmdir", 84, None), ("link", 86, None),
    ("unlink", 87, None), ("symlink", 88, None), ("chmod", 90, None), ("fchmod", 91, 52), ("chown", 92, None),
    ("fchown", 93, 55), ("lchown", 94, None), ("mknod", 133, None), ("utime", 132, None), ("utimes", 235, None),
    ("futimesat", 261, None), ("mkdirat", 258, 34), ("mknodat", 259, 33), ("fchownat", 260, 54),
    ("unlinkat", 263, 35), ("renameat", 264, 38), ("linkat", 265, 37), ("symlinkat", 266, 36), ("fchmodat", 268, 53),
    ("utimensat", 280, 88), ("renameat2", 316, 276), ("fchmodat2", 452, 452), ("setxattr", 188, 5),
    ("lsetxattr", 189, 6), ("fsetxattr", 190, 7), ("removexattr", 197, 14), ("lremovexattr", 198, 15),
    ("fremovexattr", 199, 16), ("setxattrat", 463, 463), ("removexattrat", 466, 466),
    ("name_to_handle_at", 303, 264), ("open_by_handle_at", 304, 265), ("fanotify_init", 300, 262),
    # what the system itself is
    ("pivot_root", 155, 41), ("chroot", 161, 51), ("acct", 163, 89), ("mount", 165, 40), ("umount2", 166, 39),
    ("swapon", 167, 224), ("swapoff", 168, 225), ("reboot", 169, 142), ("sethostname", 170, 161),
    ("init_module", 175, 105), ("delete_module", 176, 106), ("finit_module", 313, 273), ("kexec_load", 246, 104),
    ("kexec_file_load", 320, 294), ("syslog", 103, 116), ("personality", 135, 92), ("setuid", 105, 146),
    ("setgid", 106, 144), ("unshare", 272, 97), ("setns", 308, 268), ("open_tree", 428, 428),
    ("move_mount", 429, 429), ("fsopen", 430, 430), ("fsmount", 432, 432), ("fspick", 433, 433),
    ("mount_setattr", 442, 442), ("open_tree_attr", 467, 467), ("add_key", 248, 217), ("request_key", 249, 218),
    ("keyctl", 250, 219),
    # doors into the kernel that others came through
    ("bpf", 321, 280), ("perf_event_open", 298, 241), ("userfaultfd", 323, 282), ("io_uring_setup", 425, 425),
    ("io_uring_enter", 426, 426), ("io_uring_register", 427, 427), ("seccomp", 317, 277),
)  # fmt: skip
_CLONE3: Final = (
    435  # its flags lie in memory, where no filter sees them: the C library falls back to `clone`
)
_CLONE, _TGKILL, _PRLIMIT = (56, 220), (234, 131), (302, 261)
_CLONE_THREAD: Final = 0x10000
_MACHINES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH_*
_X32: Final = 0x40000000  # calls of x86-64's other ABI

# Classic BPF, over struct seccomp_data: number, architecture, instruction pointer, six arguments of eight bytes.
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AT_NUMBER, _AT_MACHINE, _AT_FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


def confine(readable: Iterable[str] | None = None) -> tuple[str, ...]:
    """Gives up what examining does not need; the names of `FENCES` that this system does not put up.

    Args:
        readable: files and folders that may be read besides Python, its packages and the system's libraries; None:
            all files that the user may read. What does not exist is passed over.

    Afterwards the process may write no file, start no program and no process, reach no network and no other process, and
    cannot become more than it is.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    # Writing to a file is refused by an error, not by a signal.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    alone = any(
        libc.unshare(flags) == 0 for flags in (_NEW_USER | _NEW_NET | _NEW_IPC, _NEW_NET | _NEW_IPC, _NEW_NET)
    )
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")  # where memory runs out, this process goes first
    hide()  # after the namespaces: those cannot be had by a process that is hidden
    fenced = _restrict_files(libc, readable)
    filtered = _restrict_calls(libc)
    # Without a namespace of its own there is still no socket to reach the network with.
    held = {"network": alone or filtered, "files": fenced, "calls": filtered}
    return tuple(name for name in FENCES if not held[name])


def hide() -> None:
    """Keeps processes of the same user out of this one's memory, environment and open files (in /proc, and by ptrace)."""
    ctypes.CDLL(None).prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def _restrict_files(libc: ctypes.CDLL, readable: Iterable[str] | None) -> bool:
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_ASKED)
    if version < 1:
        return False
    governed = sum(rights for since, rights in _FILE_RIGHTS if version >= since)
    attributes = struct.pack(
        "=QQQ", governed, _TCP if version >= _TCP_SINCE else 0, _SCOPES if version >= _SCOPES_SINCE else 0
    )
    # Older kernels take the fields that they know.
    size = 24 if version >= _SCOPES_SINCE else 16 if version >= _TCP_SINCE else 8
    rules = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    if rules < 0:
        return False
    try:
        for path in ("/",) if readable is None else (*_SYSTEM, *_python(), *readable):
            _allow(libc, rules, path, _READ_FILE | _READ_DIR)
        for path in sys.path:
            _allow(libc, rules, path, _READ_DIR)  # importing lists these folders
        _allow(libc, rules, os.devnull, _READ_FILE | _WRITE_FILE)
        return bool(libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _python() -> Iterator[str]:
    """Where Python, its packages and this program lie."""
    yield from {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    for name in ("worker", "schemas"):
        spec = find_spec(name)
        yield from () if spec is None else spec.submodule_search_locations or ()


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= ~_READ_DIR
        if rights:
            libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, handle), 0)
    finally:
        os.close(handle)


def _restrict_calls(libc: ctypes.CDLL) -> bool:
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.maxsize < 2**32:
        return False
    code = b"".join(struct.pack("=HBBI", *step) for step in _filter(*machine, os.getpid()))
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("=HxxxxxxQ", len(code) // 8, ctypes.addressof(held))
    return bool(libc.prctl(_SET_SECCOMP, 2, program, 0, 0) == 0)


def _filter(column: int, machine: int, process: int) -> Iterator[tuple[int, int, int, int]]:
    """The steps of the filter: operation, steps to skip if it holds, steps to skip if not, operand."""
    deny = (_RETURN, 0, 0, _ERROR | errno.EPERM)
    yield _LOAD, 0, 0, _AT_MACHINE
    yield _JUMP_EQUAL, 1, 0, machine
    yield _RETURN, 0, 0, _KILL
    yield _LOAD, 0, 0, _AT_NUMBER
    if column == 0:
        yield _JUMP_AT_LEAST, 0, 1, _X32
        yield _RETURN, 0, 0, _KILL
    for _, *numbers in _DENIED:
        number = numbers[column]
        if number is not None:
            yield _JUMP_EQUAL, 0, 1, number
            yield deny
    yield _JUMP_EQUAL, 0, 1, _CLONE3
    yield _RETURN, 0, 0, _ERROR | errno.ENOSYS
    # Threads may be started, processes may not.
    yield _JUMP_EQUAL, 0, 4, _CLONE[column]
    yield _LOAD, 0, 0, _AT_FIRST_ARGUMENT
    yield _JUMP_ANY_BIT, 1, 0, _CLONE_THREAD
    yield deny
    yield _RETURN, 0, 0, _ALLOW
    # Its own threads get signals (`abort` sends one), no others.
    yield _JUMP_EQUAL, 0, 4, _TGKILL[column]
    yield _LOAD, 0, 0, _AT_FIRST_ARGUMENT
    yield _JUMP_EQUAL, 1, 0, process
    yield deny
    yield _RETURN, 0, 0, _ALLOW
    # Its own limits are read and lowered, no others.
    yield _JUMP_EQUAL, 0, 3, _PRLIMIT[column]
    yield _LOAD, 0, 0, _AT_FIRST_ARGUMENT
    yield _JUMP_EQUAL, 1, 0, 0
    yield deny
    yield _RETURN, 0, 0, _ALLOW
