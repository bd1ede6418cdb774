"""Print the jobs of campaigns; run by ``verdi run``."""

from __future__ import annotations

import json
import sys

from aiida import orm

found = []
for pk in sys.argv[1:]:
    campaign = orm.load_node(int(pk))
    jobs = [node for node in campaign.called_descendants if isinstance(node, orm.CalcJobNode)]
    found.append(
        {
            'n_active': sum(not node.is_terminated for node in (campaign, *campaign.called_descendants)),
            'state': campaign.process_state.value,
            'exit_status': campaign.exit_status,
            'continues': campaign.base.extras.get('continues', []),
            'uuid': campaign.uuid,
            'shards': sorted(campaign.outputs.shards) if 'shards' in campaign.outputs else [],
            'jobs': [
                {
                    'label': job.process_label,
                    'ok': job.is_finished_ok,
                    'active': not job.is_terminated,
                    'from_checkpoint': 'parent_folder' in job.inputs,
                    'folder': job.get_remote_workdir(),
                }
                for job in jobs
            ],
        }
    )
print(json.dumps(found))
