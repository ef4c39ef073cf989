"""Cohorts, candidates and one-time links over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Body, FastAPI, HTTPException, Query, Request
from fastapi import Path as InPath
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from workbench.api_access import Access
from workbench.exam.items import Bank
from workbench.exam.model import Mode
from workbench.store import bank_snapshot
from workbench.store.cohort_statistics import Agreement, ItemStatistics, TimeUsed
from workbench.store.cohorts import Imported
from workbench.store.errors import StillRunning
from workbench.store.invitations import MAX_ATTEMPTS
from workbench.store.repository import Store
from workbench.store.rows_educators import CandidateRow, CohortRow, CohortSession, InvitationRow

PATHS = ("/api/cohorts", "/api/cohorts/{rest:path}", "/api/candidates/{rest:path}",
         "/api/invitations", "/api/invitations/{rest:path}")  # fmt: skip
"""What these routes add to the paths of the API."""

Id = Annotated[int, InPath(ge=1, le=2**53)]


class CohortName(BaseModel):
    """A cohort to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=120)


class CandidateFields(BaseModel):
    """Fields of a candidate; see `CandidateRow`."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=80)
    email: str | None = Field(None, max_length=254)
    external_id: str | None = Field(None, max_length=120, description="The learning management system's id.")
    extra_time: float = Field(1.0, ge=1, le=4, description="Factor on pauses and time limits.")
    typed_answers: bool = False
    captions: bool = True
    slower_voice: bool = False


class CandidateChanges(BaseModel):
    """Fields of a candidate to change; those left out stay."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=80)
    email: str | None = Field(None, max_length=254)
    external_id: str | None = Field(None, max_length=120)
    extra_time: float | None = Field(None, ge=1, le=4)
    typed_answers: bool | None = None
    captions: bool | None = None
    slower_voice: bool | None = None


class InvitationWanted(BaseModel):
    """Links to make: one for each candidate named, else for each of the cohort, else one for whoever has it."""

    model_config = ConfigDict(extra="forbid")

    discipline: str = Field(max_length=60)
    area: str | None = Field(None, max_length=60, description="Null lets the candidate choose.")
    mode: Mode = "exam"
    cohort_id: int | None = Field(None, ge=1)
    candidate_ids: list[int] | None = Field(None, min_length=1, max_length=5000)
    opens_at: AwareDatetime | None = None
    closes_at: AwareDatetime | None = None
    attempts: int = Field(1, ge=1, le=MAX_ATTEMPTS)
    show_results: bool = Field(False, description="Let the candidate see the results without publishing.")
    pin_bank: bool = Field(True, description="Ask today's questions, also when newer ones are published meanwhile.")


class InvitationMade(BaseModel):
    """A link that was made. The token is kept nowhere: open the page with `?invite=TOKEN`."""

    invitation: InvitationRow
    token: str
    path: str = Field(description="To put behind the workbench's address.")


class Statistics(BaseModel):
    """What a cohort's vivas say about the questions, the judge and the time."""

    items: list[ItemStatistics]
    agreement: Agreement
    time_used: list[TimeUsed]


def add_cohorts(app: FastAPI, store: Store, banks: Mapping[str, Bank], access: Access) -> None:
    """Adds the routes."""
    _add_cohorts(app, store, access)
    _add_candidates(app, store, access)
    _add_invitations(app, store, banks, access)


def _add_cohorts(app: FastAPI, store: Store, access: Access) -> None:
    @app.get("/api/cohorts")
    def list_cohorts(request: Request) -> list[CohortRow]:
        """Every cohort, newest first."""
        access.educator(request)
        return list(store.list_cohorts())

    @app.post("/api/cohorts", status_code=201)
    def create_cohort(request: Request, body: CohortName) -> CohortRow:
        """Makes an empty cohort."""
        return store.create_cohort(body.name, actor=access.educator(request))

    @app.delete("/api/cohorts/{cohort_id}", status_code=204)
    def delete_cohort(
        request: Request,
        cohort_id: Id,
        with_sessions: Annotated[bool, Query(description="Their vivas and recordings too.")] = False,
    ) -> None:
        """Deletes a cohort with its candidates and links; cannot be undone."""
        actor = access.educator(request)
        try:
            store.delete_cohort(cohort_id, actor=actor, with_sessions=with_sessions)
        except StillRunning as error:
            raise HTTPException(409, str(error)) from None

    @app.get("/api/cohorts/{cohort_id}/sessions")
    def cohort_sessions(request: Request, cohort_id: Id) -> list[CohortSession]:
        """The vivas that came from a cohort's links, with results and whether those are published."""
        access.educator(request)
        return list(store.cohort_sessions(cohort_id))

    @app.get("/api/cohorts/{cohort_id}/statistics")
    def statistics(request: Request, cohort_id: Id) -> Statistics:
        """Difficulty and discrimination of each question, judge against human, time used."""
        access.educator(request)
        return Statistics(
            items=list(store.item_statistics(cohort_id)),
            agreement=store.judge_against_human(cohort_id),
            time_used=list(store.time_used(cohort_id)),
        )


def _add_candidates(app: FastAPI, store: Store, access: Access) -> None:
    @app.get("/api/cohorts/{cohort_id}/candidates")
    def list_candidates(request: Request, cohort_id: Id) -> list[CandidateRow]:
        """The candidates of a cohort, by name."""
        access.educator(request)
        return list(store.list_candidates(cohort_id))

    @app.post("/api/cohorts/{cohort_id}/candidates", status_code=201)
    def add_candidate(request: Request, cohort_id: Id, body: CandidateFields) -> CandidateRow:
        """Adds one candidate."""
        actor = access.educator(request)
        return store.add_candidate(cohort_id, actor=actor, **body.model_dump())

    @app.post("/api/cohorts/{cohort_id}/candidates.csv")
    def import_candidates(
        request: Request,
        cohort_id: Id,
        text: Annotated[str, Body(media_type="text/csv", description="CSV with a heading line.")],
        dry_run: Annotated[bool, Query(description="Only say what would become of each row.")] = True,
    ) -> Imported:
        """Takes a list of candidates; rows that do not fit are listed with the reason, the others are taken."""
        actor = access.educator(request)
        return store.import_candidates(cohort_id, text, actor=actor, dry_run=dry_run)

    @app.patch("/api/candidates/{candidate_id}")
    def change_candidate(request: Request, candidate_id: Id, body: CandidateChanges) -> CandidateRow:
        """Changes fields of a candidate; links that were sent already have the new accommodations."""
        actor = access.educator(request)
        return store.update_candidate(candidate_id, actor=actor, **body.model_dump(exclude_unset=True))

    @app.delete("/api/candidates/{candidate_id}", status_code=204)
    def delete_candidate(request: Request, candidate_id: Id) -> None:
        """Deletes a person with links, vivas and recordings; cannot be undone."""
        actor = access.educator(request)
        try:
            store.delete_candidate(candidate_id, actor=actor)
        except StillRunning as error:
            raise HTTPException(409, str(error)) from None


def _add_invitations(app: FastAPI, store: Store, banks: Mapping[str, Bank], access: Access) -> None:
    @app.get("/api/invitations")
    def list_invitations(
        request: Request,
        cohort: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        candidate: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    ) -> list[InvitationRow]:
        """Links, newest first, without their tokens."""
        access.educator(request)
        return list(store.list_invitations(cohort_id=cohort, candidate_id=candidate))

    @app.post("/api/invitations", status_code=201)
    def create_invitations(request: Request, body: InvitationWanted) -> list[InvitationMade]:
        """Makes links; their tokens are in this answer and nowhere else."""
        actor = access.educator(request)
        bank_id = _pinned(store, banks, body)
        wanted = body.model_dump(exclude={"pin_bank"})
        made = store.create_invitations(actor=actor, bank_id=bank_id, **wanted)
        return [InvitationMade(invitation=new.invitation, token=new.token, path=link(new.token)) for new in made]

    @app.post("/api/invitations/{invitation_id}/renew")
    def renew(request: Request, invitation_id: Id) -> InvitationMade:
        """Gives a link a new token; the old one opens nothing any more."""
        new = store.renew_invitation(invitation_id, actor=access.educator(request))
        return InvitationMade(invitation=new.invitation, token=new.token, path=link(new.token))

    @app.delete("/api/invitations/{invitation_id}")
    def revoke(request: Request, invitation_id: Id) -> InvitationRow:
        """Withdraws a link; vivas that came from it stay."""
        return store.revoke_invitation(invitation_id, actor=access.educator(request))


def link(token: str) -> str:
    """The path of the page that a token opens, behind the workbench's address."""
    return f"?invite={token}"


def _pinned(store: Store, banks: Mapping[str, Bank], wanted: InvitationWanted) -> int | None:
    bank = banks.get(wanted.discipline)
    if bank is None:
        raise HTTPException(422, f"no discipline {wanted.discipline!r}; allowed: {', '.join(sorted(banks))}")
    keys = [area.key for area in bank.areas]
    if wanted.area is not None and wanted.area not in keys:
        raise HTTPException(422, f"{bank.discipline} has no area {wanted.area!r}; allowed: {', '.join(keys)}")
    if not wanted.pin_bank:
        return None
    return store.publish_bank(bank.discipline, bank.version, bank_snapshot.to_text(bank))
