"""Train ensembles on the labels of a campaign with several settings, and compare them.

Each variant is a set of overrides of a protocol, of which ``model``, ``engine`` and ``training.final`` count. Ensembles
are trained from random weights. Errors are those on another dataset, and properties those of the quick benchmark.
Datasets are files that ``aiida-anial export dataset`` wrote; ``campaign_labels.extxyz`` are the 125 labels by pw.x that
a campaign of the protocol ``laptop`` (seed 20261128) had after forty minutes. Run it from the repository root::

    python benchmarks/variants.py benchmarks/campaign_labels.extxyz heldout.extxyz variants.yaml --json variants.json

The file of the variants has a name and overrides for each::

    as laptop: {}
    smoother: {model: {descriptor: {radial_eta_per_angstrom2: 16}}}
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common
import yaml
from judge import judged, summary_line, train_on

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.labels import LabelledCells
from aiida_anial.formats.datasets import read_dataset
from aiida_anial.protocols.protocol import campaign_inputs


def measured(inputs: CampaignInputs, data: LabelledCells, heldout: LabelledCells, seed: int) -> dict[str, Any]:
    """Return errors and properties of an ensemble trained with these settings, and the seconds of the training."""
    settings = inputs.training.final
    assert settings is not None
    begun = time.perf_counter()
    result = train_on(inputs, data, settings, seed=seed)
    seconds = time.perf_counter() - begun
    row = judged(result.ensemble, heldout, inputs.engine)
    return {'seed': seed, 'n_labels': len(data), 'training_s': seconds, 'test': result.summary['test'], **row}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all variants, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('dataset', type=Path, help='labels to train on')
    parser.add_argument('heldout', type=Path, help='labels to measure errors on')
    parser.add_argument('variants', type=Path, help='overrides by name')
    parser.add_argument('--protocol', default='laptop', help='what the overrides change; default: laptop')
    parser.add_argument('--seeds', type=int, nargs='+', default=[1], help='of the trainings; default: 1')
    parser.add_argument('--json', type=Path, help='file to write the results to')
    given = parser.parse_args(arguments)
    data = read_dataset(given.dataset).labelled
    heldout = read_dataset(given.heldout).labelled
    results: dict[str, list[dict[str, Any]]] = {}
    for name, overrides in yaml.safe_load(given.variants.read_text()).items():
        inputs = campaign_inputs(given.protocol, overrides)
        for seed in given.seeds:
            row = measured(inputs, data, heldout, seed)
            results.setdefault(name, []).append(row)
            common.progress(f'{name}, seed {seed}: {row["training_s"]:.0f} s, {summary_line(row)}')
            if given.json:
                common.write_json(given.json, results)
    return 0


if __name__ == '__main__':
    sys.exit(main())
