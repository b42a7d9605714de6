"""The fetch stage as a user runs it, in a process of its own, in a folder of the test."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.stages.raw_records import ROOT

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "MP_API_KEY")


def remote_params(folder: Path, source: str, **section: object) -> None:
    """Write params.yaml with `fetch.mode: remote` and some values of the source's section."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["fetch"] |= {"mode": "remote", "sources": {name: name == source for name in params["fetch"]["sources"]}}
    params["fetch"][source] |= section
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def start_fetch(folder: Path, source: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start `python -m stages.fetch <source>` in a folder."""
    inherited = {name: value for name, value in os.environ.items() if name not in PROXIES}
    return subprocess.Popen(
        [sys.executable, "-m", "stages.fetch", source],
        cwd=folder,
        env=inherited | {"PYTHONPATH": str(ROOT), "HOME": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def fetch(folder: Path, source: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    process = start_fetch(folder, source, environment)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
