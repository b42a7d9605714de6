"""The members of an ensemble differ, come out the same again, and dropout differs from call to call."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from stages.shared.global_inputs import read_global_inputs
from stages.shared.params import load_params
from stages.shared.spectra import read_spectra
from stages.uncertainty.members import train_members
from stages.uncertainty.scores import by_method, uncertainty_scores
from tests.pipeline.imports import ROOT
from tests.stages.small_spectra import write_spectra

PARAMS = load_params("build_graphs", "encoder", "dos", "dos_kinds", "uncertainty", path=ROOT / "params.yaml")
SMALL = PARAMS.model_copy(
    update={
        "encoder": PARAMS.encoder.model_copy(update={"dim": 16}),
        "dos": PARAMS.dos.model_copy(update={"dim": 16, "epochs": 4, "dropout": 0.3}),
        "uncertainty": PARAMS.uncertainty.model_copy(update={"members": 2, "dropout_passes": 3}),
    }
)


def test_members_and_passes_differ_and_come_out_the_same_again(tmp_path: Path) -> None:
    data = write_spectra(tmp_path / "data", "trigonal")
    examples = read_spectra(data, "phonon", SMALL.dos_kinds["phonon"], SMALL.encoder, tmp_path)
    inputs = read_global_inputs(data, [])
    members = train_members(data, SMALL, "phonon", examples, inputs, tmp_path)
    shutil.rmtree(tmp_path / "member-1")  # as if the process had been killed before it
    again = train_members(data, SMALL, "phonon", examples, inputs, tmp_path)

    n_bins = SMALL.dos_kinds["phonon"].bins
    assert members.ensemble.shape == (2, len(examples), n_bins)
    assert members.dropout.shape == (3, len(examples), n_bins)
    for spectra in (members.ensemble, members.dropout):
        assert (np.abs(spectra[0] - spectra[1]).max(axis=1) > 0).all()
    np.testing.assert_array_equal(members.ensemble, again.ensemble)
    np.testing.assert_array_equal(members.dropout, again.dropout)

    scores = uncertainty_scores(by_method(members, examples))
    test = examples.graphs.splits == "test"
    error = examples.spectrum(np.flatnonzero(test)) - members.ensemble.mean(axis=0)[test]
    assert scores["ensemble"]["rmse"] == pytest.approx(np.sqrt(np.square(error).mean(axis=1)).mean())
    assert scores["dropout"]["n"] == int(test.sum())
