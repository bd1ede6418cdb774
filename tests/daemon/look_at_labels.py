"""Print the state and the results of labellings; run by ``verdi run``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from aiida import orm


def look(pk):
    """Return the state and the results of one labelling."""
    chain = orm.load_node(pk)
    jobs = [node for node in chain.called_descendants if isinstance(node, orm.CalcJobNode)]
    labelled = chain.outputs.dataset.labelled if 'dataset' in chain.outputs else None
    folders = [path for job in jobs if (path := job.get_remote_workdir())]
    return {
        'state': chain.process_state.value,
        'is_terminated': chain.is_terminated,
        'exit_status': chain.exit_status,
        'n_active': sum(not node.is_terminated for node in chain.called_descendants),
        'n_ended': sum(child.is_terminated for child in chain.called),
        'jobs': [job.uuid for job in jobs if job.is_finished_ok],
        'n_jobs': len(jobs),
        'folders': folders,
        'most_alive': max((sum(other.ctime <= job.ctime < other.mtime for other in jobs) for job in jobs), default=0),
        'uuids': list(labelled.uuids) if labelled else [],
        'rejected': chain.outputs.rejected.get_dict() if 'rejected' in chain.outputs else None,
        'files_left': [path for path in folders if Path(path).exists()] if chain.is_terminated else [],
    }


print(json.dumps([look(int(pk)) for pk in sys.argv[1:]]))
