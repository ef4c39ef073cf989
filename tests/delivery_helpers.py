"""A published exam of somebody with an address, and settings that turn ways out on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.store_helpers import mark
from workbench.exam.bank import load_banks
from workbench.settings import Settings
from workbench.store import bank_snapshot
from workbench.store.repository import Store

BANKS = load_banks()
QUESTION = BANKS["medical"].area("cardiology").questions[0]
SECRET_ANSWER = "zanzibar troponin"


def sat(store: Store, session_id: str = "sess_a", *, published: bool = True) -> str:
    """An exam from a link of Ada's, finished."""
    bank_id = store.publish_bank("medical", "1", bank_snapshot.to_text(BANKS["medical"]))
    cohort = store.create_cohort(f"Cohort of {session_id}", actor="tutor")
    ada = store.add_candidate(cohort.id, "Ada Byron", actor="tutor", email="ada@example.org", external_id="u-17")
    (link,) = store.create_invitations(
        discipline="medical", area="cardiology", cohort_id=cohort.id, candidate_ids=[ada.id], actor="tutor"
    )
    store.create_session(
        session_id=session_id, discipline="medical", area="cardiology", mode="exam", seed=7,
        candidate_name="Ada Byron", bank_id=bank_id,
    )  # fmt: skip
    store.use_attempt(link.invitation.id, session_id)
    store.save_answer(session_id, 1, QUESTION.id, SECRET_ANSWER, typed=True, probe=False, skipped=False, at_s=1.0)
    store.save_evaluation(session_id, 1, mark(7.5, QUESTION.id))
    store.finish_session(session_id, completed=True)
    if published:
        store.publish_results([session_id], actor="tutor")
    return session_id


def configured(folder: Path, **changes: Any) -> Settings:
    return Settings(**{"_env_file": None, "data_dir": folder, **changes})
