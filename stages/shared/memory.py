"""Memory that was freed and is still held, given back to the system."""

import ctypes


def give_back_memory() -> None:
    """Ask the C library to return the memory that is free between what is in use; does nothing where it cannot.

    Blocks of many sizes that come and go, as in tables written row group by row group, leave holes that the library
    keeps for later. Over a long run they add up, though nothing the program holds does.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; musl and macOS have none
    if trim is not None:
        trim(ctypes.c_size_t(0))
