"""Tests of `stages/zero_shot`."""
