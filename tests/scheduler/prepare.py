"""Have the computer polled as often as a test can bear; run by ``verdi run`` before the daemon starts."""

from __future__ import annotations

from aiida import orm

orm.load_computer('cluster').set_minimum_job_poll_interval(1.0)
