"""Print the state of processes and of their jobs; run by ``verdi run``."""

from __future__ import annotations

import json
import sys
from typing import Any

from aiida import orm

# Outputs that depend on the path to a result.
OF_THE_WAY = ('remote_folder', 'retrieved')
WORDS = ('max_memory_kb', 'max_wallclock_seconds', 'custom_scheduler_commands')


def job(node: orm.CalcJobNode) -> dict[str, Any]:
    """Return the state of a job and the facts about its run."""
    retrieved = node.outputs.retrieved.base.repository.list_object_names() if 'retrieved' in node.outputs else []
    return {
        'pk': node.pk,
        'label': node.process_label,
        'computer': node.computer.label,
        'exit_status': node.exit_status,
        'id': node.get_job_id(),
        'folder': node.get_remote_workdir(),
        'cleaned': 'remote_folder' in node.outputs and node.outputs.remote_folder.is_cleaned,
        'options': {name: node.get_option(name) for name in (*WORDS, 'resources')},
        'checkpoint_of': node.inputs.parent_folder.creator.pk if 'parent_folder' in node.inputs else None,
        'output': json.loads(node.outputs.retrieved.base.repository.get_object_content('output.json'))
        if 'output.json' in retrieved
        else None,
    }


def process(pk: int) -> dict[str, Any]:
    """Return the state of a process, its jobs, and the hashes of its outputs."""
    node = orm.load_node(pk)
    under = [node, *node.called_descendants]
    return {
        'pk': pk,
        'state': node.process_state.value,
        'exit_status': node.exit_status,
        'exit_message': node.exit_message,
        'n_active': sum(not child.is_terminated for child in under),
        'jobs': [
            job(child) for child in sorted(under, key=lambda child: child.pk) if isinstance(child, orm.CalcJobNode)
        ],
        'hashes': {
            link.link_label: link.node.base.caching.get_hash()
            for link in node.base.links.get_outgoing().all()
            if isinstance(link.node, orm.Data) and link.link_label not in OF_THE_WAY
        },
        'rejected': node.outputs.rejected.get_dict() if 'rejected' in node.outputs else None,
        'reports': [log.message for child in under for log in orm.Log.collection.get_logs_for(child)],
    }


print(json.dumps([process(int(pk)) for pk in sys.argv[1:]]))
