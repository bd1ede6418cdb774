"""Store a process without asking the daemon to run it, and print its pk and the check; run by ``verdi run``."""

from __future__ import annotations

import json
from datetime import timedelta

from aiida import orm
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from ase.build import bulk

from aiida_anial.calculations.evaluate import EvaluateCalculation
from aiida_anial.cli import server_checks

builder = EvaluateCalculation.get_builder()
builder.code = orm.load_code('anial-worker@localhost')
builder.cells = {'fcc': orm.StructureData(ase=bulk('Al', a=4.05, cubic=True))}
builder.labeller = orm.Dict({'kind': 'emt'})
builder.metadata.options.resources = {'num_machines': 1}
# The steps of AiiDA's `submit` except the last one, the request to the daemon.
runner = get_manager().get_runner()
process = instantiate_process(runner, builder)
runner.persister.save_checkpoint(process)
process.close()
server_checks._GRACE = timedelta(0)
print(json.dumps({'pk': process.pid, 'finding': server_checks.process_check().finding}))
