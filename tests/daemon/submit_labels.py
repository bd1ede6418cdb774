"""Submit the labelling of some small cells by pw.x, and print its pk; run by ``verdi run``."""

from __future__ import annotations

import sys

from aiida import orm
from aiida.engine import submit

from aiida_anial.calcfunctions.generate_cells import generate_cells
from aiida_anial.protocols.builder import campaign_builder
from aiida_anial.protocols.protocol import campaign_inputs
from aiida_anial.workchains.label import LabelWorkChain

overrides = {
    'cells': {'families': [{'edges_angstrom': [4.0, 4.4], 'n_atoms': [3, 4]}]},
    'label': {
        'limits': {'max_concurrent': 2},
        # Long enough that a daemon can be stopped in the middle of them.
        'qe': {'ecutwfc_ry': 12, 'ecutrho_ry': 48, 'kpoints_distance_per_angstrom': 0.4},
    },
}
inputs = campaign_inputs('demo', overrides)
campaign = campaign_builder(
    inputs,
    worker_code=orm.load_code('anial-worker@localhost'),
    pw_code=orm.load_code('pw@localhost'),
    pseudo=orm.load_group(inputs.label.qe.pseudo_family).get_pseudo('Al'),
)
builder = LabelWorkChain.get_builder()
builder.cells = generate_cells(orm.Dict(inputs.cells.to_dict()), orm.Int(5), orm.Int(int(sys.argv[1])))
builder.limits = campaign.cycle.label.limits
builder.qe = campaign.cycle.label.qe
print(submit(builder).pk)
