"""Tests of `stages/evaluate`."""
