"""Set the properties of the computer that docs/howto/cluster.md sets in Python, and poll it more often.

Run by ``verdi run`` before the daemon starts.
"""

from __future__ import annotations

from aiida import orm

from aiida_anial.cli.installation import ONCE_AFTER, ONCE_BEFORE

cluster = orm.load_computer('cluster')
cluster.set_minimum_job_poll_interval(1.0)
cluster.set_prepend_text(ONCE_BEFORE)
cluster.set_append_text(ONCE_AFTER)
