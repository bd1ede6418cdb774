"""Change a process node over another connection while it is loaded, and print its values; run by ``verdi run``."""

from __future__ import annotations

import json

import sqlalchemy
from aiida import orm
from aiida.manage import get_manager

node = orm.WorkChainNode(label='before')
node.store()
node.base.attributes.set('process_state', 'running')
seen = [[node.label, node.base.attributes.get('process_state'), node.base.extras.get('mark', None)]]
other = orm.Int(1).store()

engine = sqlalchemy.create_engine(get_manager().get_profile_storage().get_session().get_bind().url)
with engine.begin() as connection:
    connection.execute(
        sqlalchemy.text(
            "UPDATE db_dbnode SET label = 'after', extras = '{\"mark\": 2}', "
            "attributes = jsonb_set(attributes, '{process_state}', '\"finished\"') WHERE id = :pk"
        ),
        {'pk': node.pk},
    )
seen.append([node.label, node.base.attributes.get('process_state'), node.base.extras.get('mark')])

with engine.begin() as connection:
    connection.execute(sqlalchemy.text("UPDATE db_dbnode SET label = 'last' WHERE id = :pk"), {'pk': node.pk})
# Writing another attribute must not restore the old values.
node.base.attributes.set('exit_status', 0)
other.base.extras.set('mark', 3)
question = "SELECT label, attributes ->> 'process_state', (extras ->> 'mark')::int FROM db_dbnode WHERE id = :pk"
with engine.connect() as connection:
    seen.append([*connection.execute(sqlalchemy.text(question), {'pk': node.pk}).one()])
seen.append([orm.load_node(node.pk).label, orm.load_node(node.pk).process_state.value, node.base.extras.get('mark')])
print(json.dumps(seen))
