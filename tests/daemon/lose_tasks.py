"""Delete the requests for the jobs of a labelling, which a stopping daemon may lose; run by ``verdi run``.

The daemon must not be running.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from aiida import orm
from aiida.engine import ProcessState
from aiida.manage.configuration import get_config

chain = orm.load_node(int(sys.argv[1]))
active = [node for node in chain.called_descendants if not node.is_terminated]
leaves = [node for node in active if not any(child in active for child in getattr(node, 'called', ()))]
for node in leaves:
    node.set_process_state(ProcessState.CREATED)
pks = {node.pk for node in leaves}
for path in Path(get_config().dirpath).glob('broker/*/storage/tasks/*/*.json'):
    if json.loads(path.read_text())['body']['args']['pid'] in pks:
        path.unlink()
print(json.dumps(sorted(pks)))
