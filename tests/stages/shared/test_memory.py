import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HOLES = """
import ctypes, os
from pathlib import Path
from stages.shared.memory import give_back_memory

def resident():
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")

blocks = [ctypes.create_string_buffer(60_000) for _ in range(3_000)]
kept = blocks[::100]  # holes between these
del blocks
before = resident()
give_back_memory()
print(before - resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_holes_between_what_is_in_use_go_back_to_the_system() -> None:
    libc = subprocess.run(["ldd", "--version"], check=False, capture_output=True, text=True)
    if "GLIBC" not in libc.stdout and "GNU libc" not in libc.stdout:
        pytest.skip("the C library of this machine cannot be asked")
    run = subprocess.run([sys.executable, "-c", HOLES], check=True, capture_output=True, text=True, cwd=ROOT)
    assert int(run.stdout) > 0.8 * 3_000 * 60_000
