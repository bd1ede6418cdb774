"""Tell a job what the scheduler says when it says something new, not at every poll.

:hook: ``JobsList._get_jobs_from_scheduler``, ``JobsList._polling_jobs``, ``JobsList._job_update_requests`` and the name
    ``JobsList`` in ``aiida.engine.processes.calcjobs.manager``
:changes: A job that waits for its scheduler is woken when its state has changed or it is gone.
:why: AiiDA wakes it at each poll, to store the state that it had before. With a poll a second that is a third of what
    a daemon worker does for labels of half a minute, and to poll less often would let short jobs wait.
:upstream: none found; the documentation of ``request_job_info_update`` promises what this does
:until: ``JobsList`` resolves a request when the job has changed its state.
"""

from __future__ import annotations

from typing import Any

from aiida.engine.processes.calcjobs import manager
from aiida.engine.processes.calcjobs.manager import JobsList
from aiida.schedulers.datastructures import JobInfo

__all__ = ('PatientJobsList', 'wake_jobs_at_changes')


class PatientJobsList(JobsList):
    """The jobs of a computer, each of which hears of a state once."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._told: dict[str, tuple[Any, Any]] = {}

    async def _get_jobs_from_scheduler(self) -> dict[str, JobInfo]:
        """Return what the scheduler says of all jobs, and resolve the requests of those of which it is new."""
        jobs = await super()._get_jobs_from_scheduler()
        self._polling_jobs = frozenset(name for name in self._polling_jobs if self._is_news(name, jobs.get(name)))
        return jobs

    def _is_news(self, name: str, info: JobInfo | None) -> bool:
        if info is None:
            self._told.pop(name, None)
            return True
        state = (info.job_state, info.job_substate)
        is_news = self._told.get(name) != state
        self._told[name] = state
        # A request that was cancelled has to go, or the next one would find it.
        return is_news or self._job_update_requests[name].done()


def wake_jobs_at_changes() -> None:
    """Let all computers that this process has not used yet tell their jobs of changes alone."""
    manager.JobsList = PatientJobsList  # type: ignore[misc]
