"""Settings of the stage that the tests change, in the params.yaml of the folder they work in."""

from pathlib import Path


def set_chunk_size(chunk_size: int) -> None:
    """Let a worker take so many crystals at a time."""
    text = Path("params.yaml").read_text(encoding="utf-8")
    assert "chunk_size: 512" in text
    Path("params.yaml").write_text(text.replace("chunk_size: 512", f"chunk_size: {chunk_size}"), encoding="utf-8")
