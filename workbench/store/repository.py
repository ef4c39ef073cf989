"""The store: everything the program keeps of a viva, behind synchronous methods any thread may call.

A server calls them through `asyncio.to_thread`. What a method has returned from is on disk: it survives
`kill -9` at once and, on SQLite with `synchronous=FULL` and on PostgreSQL, a power cut.
"""

from __future__ import annotations

from pathlib import Path

from workbench.store import recordings
from workbench.store.banks_kept import KeptBanks
from workbench.store.cohort_reading import CohortStatistics
from workbench.store.invitations import InvitationLinks
from workbench.store.live import LiveSessions
from workbench.store.marking import Marking
from workbench.store.overview import Overviews
from workbench.store.people import People
from workbench.store.publishing import Publishing
from workbench.store.research_export import ResearchExport
from workbench.store.retention import Retention


class Store(
    LiveSessions,
    Marking,
    Overviews,
    Retention,
    InvitationLinks,
    Publishing,
    CohortStatistics,
    KeptBanks,
    ResearchExport,
    People,
):
    """Sessions, answers, marks, results, events, the audit log and run-time configuration; those who examine too."""

    def recording_path(self, session_id: str) -> Path:
        """Where a `Recorder` of this session writes; `SessionData.recording` is what it left."""
        return recordings.path_of(self.recordings_dir, session_id)
