"""The educators' pages served beside the API and the candidates' page, for the tests that open them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from tests.small_bank import BANK
from workbench.api import build_api
from workbench.api_access import Access
from workbench.exam.bank import load_banks
from workbench.exam.items import Bank
from workbench.exam.model import Evaluation, KeyPointEvidence
from workbench.ports import free_port
from workbench.realtime.tickets import Tickets
from workbench.settings import Settings
from workbench.store.logins import Logins
from workbench.store.repository import Store
from workbench.store.rows import WordRow
from workbench.web import build_page, static_routes
from workbench.web.educators import EducatorsPages, build_educators

KEY = "a key for tests"


@dataclass
class Served:
    """What is up: `url` is the root, with a slash."""

    url: str
    store: Store
    tickets: Tickets
    pages: EducatorsPages


@contextmanager
def serving_educators(
    settings: Settings, store: Store | None = None, banks: Mapping[str, Bank] | None = None
) -> Iterator[Served]:
    """Everything but the socket and the engines, on one port; `banks` are the built-in ones when left out."""
    store = store or Store(settings)
    banks = load_banks() if banks is None else banks
    tickets = Tickets(KEY)
    access = Access(settings, tickets.open_report, Logins(settings, store), tickets.open_reader)
    pages = build_educators(store, banks, settings, access, key=KEY, mint_reader=tickets.mint_reader)
    api = build_api(
        store, banks, settings, tickets.open_report, logins=access.logins, verify_reader_token=tickets.open_reader
    )
    page = build_page(settings, banks, lambda request, grants: tickets.mint_ticket(grants))
    port = free_port()

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with pages.lifespan():
            yield

    page.launch(
        server_name="127.0.0.1",
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        inbrowser=False,
        root_path=settings.root_path or None,
        ssr_mode=False,
        app_kwargs={"routes": [*api, *static_routes(), *pages.routes], "lifespan": lifespan},
        **page.launch_options,
    )
    try:
        yield Served(f"http://127.0.0.1:{port}/", store, tickets, pages)
    finally:
        page.close(verbose=False)


RATE_HZ = 16000
ANSWERS = {
    "correct": ("I would give aspirin, record an ECG and call the senior.", 9.0),
    "partial": ("I would record an ECG first, and wait.", 3.0),
    "incorrect": ("No aspirin, it is harmful here.", 0.0),
}


def answered_without_a_mark(store: Store, session_id: str, number: int) -> None:
    """One more answer of an ended viva, which the judge failed to mark."""
    question = BANK.area("cardiology").questions[number - 1]
    text, _ = ANSWERS["correct"]
    store.save_answer(session_id, number, question.id, text, typed=True, probe=False, skipped=False, at_s=60.0)


def sat(
    store: Store,
    session_id: str,
    verdicts: tuple[str, ...] = ("correct", "partial", "incorrect"),
    *,
    name: str = "Ada Byron",
    confidence: float = 0.9,
    recorded: bool = False,
    cohort_id: int | None = None,
) -> str:
    """A viva with the small bank that ended: one answer a verdict, word times, a recording when asked for."""
    made = store.create_session(
        session_id=session_id, discipline="medical", mode="exam", seed=7, area="cardiology", candidate_name=name
    )
    questions = BANK.area("cardiology").questions
    for number, verdict in enumerate(verdicts, 1):
        question = questions[number - 1]
        text, points = ANSWERS[verdict]
        start_s = 10.0 * (number - 1)
        store.save_turn(
            session_id, "examiner", question.stem, start_s=start_s, end_s=start_s + 3, number=number, kind="question"
        )
        spoken = text.split()
        words = [WordRow(word, start_s + 4 + 0.4 * n, start_s + 4.4 + 0.4 * n, 0.9) for n, word in enumerate(spoken)]
        store.save_turn(
            session_id, "candidate", text, start_s=start_s + 4, end_s=words[-1].end_s, number=number, words=words
        )
        store.save_answer(session_id, number, question.id, text, typed=False, probe=False, skipped=False, at_s=start_s)
        evidence = {
            "correct": (("drug", "covered", "aspirin"), ("trace", "covered", "ECG"), ("call", "covered", "senior")),
            "partial": (("drug", "missing", ""), ("trace", "covered", "ECG"), ("call", "missing", "")),
            "incorrect": (("drug", "contradicted", "No aspirin"), ("trace", "missing", ""), ("call", "missing", "")),
        }[verdict]
        weights = {point.id: point.weight for point in question.key_points}
        found = tuple(KeyPointEvidence(key, status, quote, weights[key]) for key, status, quote in evidence)  # type: ignore[arg-type]
        sure = confidence - number / 100
        mark = Evaluation(question.id, verdict, points, found, sure, "keyword-1")  # type: ignore[arg-type]
        store.save_evaluation(session_id, number, mark)
    if recorded:
        path = store.recording_path(session_id).with_suffix(".flac")
        path.parent.mkdir(parents=True, exist_ok=True)
        at = np.arange(int(10 * len(verdicts) * RATE_HZ)) / RATE_HZ
        candidate = 0.3 * np.sin(2 * np.pi * 220 * at) * (at % 10 >= 4)
        examiner = 0.3 * np.sin(2 * np.pi * 330 * at) * (at % 10 < 3)
        soundfile.write(path, np.column_stack([candidate, examiner]), RATE_HZ, format="FLAC")
    if cohort_id is not None:
        person = store.add_candidate(cohort_id, f"{name} {session_id}", actor="ada")
        (link,) = store.create_invitations(
            discipline="medical", area="cardiology", cohort_id=cohort_id, candidate_ids=[person.id], actor="ada"
        )
        store.use_attempt(link.invitation.id, session_id)
    store.finish_session(session_id, completed=True)
    return made.id
