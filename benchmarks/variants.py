"""Train ensembles on the labels of a campaign with several settings, and compare them.

Each variant is a set of overrides of a protocol, of which ``model``, ``engine`` and ``training.final`` count. Ensembles
are trained from random weights. Errors are those on ``results/heldout.extxyz``, configurations of 31 to 36 atoms with
converged labels by PBE, and properties those of the quick benchmark. Run it from the repository root on a dataset that
``aiida-anial export dataset`` wrote, such as ``campaign_labels.extxyz``, the 125 labels by pw.x that a campaign of the
protocol ``laptop`` (seed 20261128) had after forty minutes::

    python benchmarks/variants.py benchmarks/campaign_labels.extxyz variants.yaml --seeds 1 2 --json variants.json
    python benchmarks/variants.py --label-heldout .heldout       # label those configurations anew; it takes hours

The file of the variants has a name and overrides for each::

    as laptop: {}
    smoother: {model: {descriptor: {radial_eta_per_angstrom2: 16}}}
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import common
import labels
import numpy as np
import pw
import yaml
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from heldout import heldout_cells
from judge import judged, summary_line

from aiida_anial.active_learning.settings import CampaignInputs
from aiida_anial.common.labels import LabelledCells
from aiida_anial.formats.datasets import read_dataset
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.training.trainers import trainer_of

HELDOUT: Final = Path(__file__).parent / 'results' / 'heldout.extxyz'


def measured(inputs: CampaignInputs, data: LabelledCells, heldout: LabelledCells, seed: int) -> dict[str, Any]:
    """Return errors and properties of an ensemble trained with these settings, and the seconds of the training."""
    settings = inputs.training.final
    assert settings is not None
    begun = time.perf_counter()
    with TemporaryDirectory() as folder:
        trained = trainer_of(inputs.model.kind)(
            data,
            model=inputs.model,
            settings=settings,
            seed=seed,
            initial=None,
            checkpoint=Path(folder) / 'checkpoint',
            interrupted=lambda: False,
            report=lambda _: None,
            engine=inputs.engine,
        )
    seconds = time.perf_counter() - begun
    row = judged(trained.ensemble, heldout, inputs.engine)
    return {'seed': seed, 'n_labels': len(data), 'training_s': seconds, 'test': trained.summary['test'], **row}


def label_heldout(folder: Path) -> None:
    """Label the held-out configurations by converged PBE, and write them; results are kept in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = [
        Atoms('Al' * len(place), positions=place, cell=lattice, pbc=True) for place, lattice in heldout_cells(EMT())
    ]
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(pw.calculated, cells, [labels.REFERENCE] * len(cells), [folder] * len(cells)))
    for atoms, result in zip(cells, found, strict=True):
        atoms.calc = SinglePointCalculator(atoms, energy=result.energy, forces=np.array(result.forces))
    write(HELDOUT, cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all variants, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('dataset', type=Path, nargs='?', help='labels to train on')
    parser.add_argument('variants', type=Path, nargs='?', help='overrides by name')
    parser.add_argument('--protocol', default='laptop', help='what the overrides change; default: laptop')
    parser.add_argument('--seeds', type=int, nargs='+', default=[1], help='of the trainings; default: 1')
    parser.add_argument('--json', type=Path, help='file to write the results to')
    parser.add_argument('--label-heldout', type=Path, metavar='FOLDER', help='label the held-out configurations')
    given = parser.parse_args(arguments)
    if given.label_heldout:
        label_heldout(given.label_heldout)
        return 0
    if given.variants is None:
        parser.error('give a dataset and a file of variants')
    data = read_dataset(given.dataset).labelled
    heldout = read_dataset(HELDOUT).labelled
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
