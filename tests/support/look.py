"""Answer one question about a campaign per line of input until its end; run by ``verdi run``, with any storage."""

from __future__ import annotations

import hashlib
import json
import sys

from aiida import orm
from aiida.common import LinkType
from aiida.manage import get_manager

FIELDS = {
    'pk': 'id',
    'uuid': 'uuid',
    'label': 'attributes.process_label',
    'state': 'attributes.process_state',
    'exit_status': 'attributes.exit_status',
    'exit_message': 'attributes.exit_message',
    'step': 'attributes.state',
    'paused': 'attributes.paused',
    'status': 'attributes.process_status',
    'folder': 'attributes.remote_workdir',
}
CALLS = [LinkType.CALL_CALC.value, LinkType.CALL_WORK.value]


def processes(pk):
    """Return the campaign and every process under it, each with the path of its call labels."""
    rows = orm.QueryBuilder().append(orm.ProcessNode, filters={'id': pk}, project=list(FIELDS.values())).all()
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={'id': {'>=': pk}}, project='id', tag='caller')
    query.append(
        orm.ProcessNode,
        with_incoming='caller',
        edge_filters={'type': {'in': CALLS}},
        edge_project='label',
        project=list(FIELDS.values()),
    )
    found = {pk: {'path': '', **dict(zip(FIELDS, rows[0], strict=True))}}
    for caller, *values, label in sorted(query.all(), key=lambda row: row[1]):
        if caller in found:
            found[values[0]] = {'path': f'{found[caller]["path"]}/{label}', **dict(zip(FIELDS, values, strict=True))}
    return list(found.values())


def result(pk):
    """Return the results of the campaign: energies by UUID of the calculation, and a digest of the ensemble."""
    campaign = orm.load_node(pk)
    shards = campaign.outputs.shards if 'shards' in campaign.outputs else {}
    energies = {}
    for label in shards:
        labelled = shards[label].labelled
        energies.update(zip(labelled.uuids, labelled.energies.tolist(), strict=True))
    ensemble = ''
    if 'ensemble' in campaign.outputs:
        content = campaign.outputs.ensemble.base.repository.get_object_content('ensemble.safetensors', 'rb')
        ensemble = hashlib.sha256(content).hexdigest()
    seconds = (campaign.mtime - campaign.ctime).total_seconds()
    return {'energies': energies, 'ensemble': ensemble, 'seconds': seconds}


for line in sys.stdin:
    what, pk = line.split()
    print(json.dumps({'processes': processes, 'result': result}[what](int(pk))), flush=True)
    # Discard the snapshot of the database and all loaded values, so that the next answer is current.
    session = get_manager().get_profile_storage().get_session()
    session.rollback()
    session.expire_all()
