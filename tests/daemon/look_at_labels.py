"""Print what has become of a labelling; run by ``verdi run``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from aiida import orm

chain = orm.load_node(int(sys.argv[1]))
jobs = [node for node in chain.called_descendants if isinstance(node, orm.CalcJobNode)]
labelled = chain.outputs.dataset.labelled if 'dataset' in chain.outputs else None
print(
    json.dumps(
        {
            'is_terminated': chain.is_terminated,
            'exit_status': chain.exit_status,
            'n_cells': len(chain.inputs.cells),
            'n_ended': sum(child.is_terminated for child in chain.called),
            'jobs': [job.uuid for job in jobs if job.is_finished_ok],
            'n_jobs': len(jobs),
            'most_alive': max(
                (sum(other.ctime <= job.ctime < other.mtime for other in jobs) for job in jobs), default=0
            ),
            'uuids': list(labelled.uuids) if labelled else [],
            'rejected': chain.outputs.rejected.get_dict() if 'rejected' in chain.outputs else None,
            'files_left': [path for job in jobs if Path(path := job.get_remote_workdir()).exists()]
            if chain.is_terminated
            else [],
        }
    )
)
