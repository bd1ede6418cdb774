"""Submit one label by EMT and print its pk; run by ``verdi run``."""

from __future__ import annotations

from aiida import orm
from aiida.engine import submit
from ase.build import bulk

from aiida_anial.calculations.evaluate import EvaluateCalculation

builder = EvaluateCalculation.get_builder()
builder.code = orm.load_code('anial-worker@localhost')
builder.cells = {'fcc': orm.StructureData(ase=bulk('Al', a=4.05, cubic=True))}
builder.labeller = orm.Dict({'kind': 'emt'})
builder.metadata.options.resources = {'num_machines': 1}
print(submit(builder).pk)
