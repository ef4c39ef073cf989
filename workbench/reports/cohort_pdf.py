"""A cohort's results as a PDF: scores, who has what, which questions were hard, the judge beside people, time used."""

from __future__ import annotations

import statistics as stats
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from workbench.exam.items import Bank
from workbench.reports.errors import ReportFailed
from workbench.reports.formats import MEDIA_TYPES, ReportFile, plain_name
from workbench.reports.pdf import Paper, make_pdf
from workbench.reports.session_pdf import number
from workbench.statistics.core import mean_interval
from workbench.store import reporting
from workbench.store.cohort_statistics import Agreement, ItemStatistics, TimeUsed
from workbench.store.errors import StoreError
from workbench.store.repository import Store
from workbench.store.rows_educators import CohortRow, CohortSession

N_BINS = 12
STATUSES = {"finished": "", "stopped": "stopped early", "abandoned": "abandoned", "running": "running"}


def cohort_file(store: Store, banks: Mapping[str, Bank], cohort_id: int, *, paper: Paper = "a4") -> ReportFile:
    """The PDF of a cohort.

    Args:
        store: Where it is.
        banks: Today's banks, for stems and titles of vivas that were stored without their own.
        cohort_id: The cohort.
        paper: Its format.

    Raises:
        NotFound: There is no such cohort.
        ReportFailed: No viva of it has ended yet, or the document could not be set.
    """
    now = datetime.now(UTC)
    data = cohort_data(store, banks, cohort_id, now)
    content = make_pdf("cohort", data, made_at=now, paper=paper)
    name = plain_name("cohort", str(cohort_id), f"{now:%Y-%m-%d}")
    return ReportFile(f"{name}.pdf", MEDIA_TYPES["pdf"], content)


def cohort_data(store: Store, banks: Mapping[str, Bank], cohort_id: int, now: datetime) -> dict[str, Any]:
    """What the template `cohort.typ` shows.

    Raises:
        NotFound: There is no such cohort.
        ReportFailed: No viva of it has ended yet.
    """
    cohort = store.load_cohort(cohort_id)
    rows = [row for row in store.cohort_sessions(cohort_id) if row.session.status != "running"]
    scored = [row for row in rows if row.result is not None]
    if not scored:
        raise ReportFailed(f"no viva of the cohort {cohort.name} has ended yet; there is nothing to report")
    stems, areas = _titles(store, banks, scored)
    items = store.item_statistics(cohort_id)
    times = store.time_used(cohort_id)
    return {
        "document": {
            "title": f"Cohort: {cohort.name}",
            "author": "Viva Workbench",
            "description": f"Results of {len(scored)} oral examinations",
        },
        "lede": f"Results of {_n(len(scored), 'oral examination')}, {now.day} {now:%B %Y, %H:%M} UTC",
        "footer": f"{cohort.name} \u00b7 {now:%Y-%m-%d} \u00b7 confidential: holds names and marks",
        "facts": _facts(cohort, scored, times),
        "notes": _notes(scored),
        "bins": _bins(scored),
        "scores_said": _scores_said(scored),
        "people": [_person(row, areas) for row in sorted(rows, key=_by_name)],
        "items": [_item(place, item, stems) for place, item in enumerate(items, 1)],
        "agreement": _agreement(store.judge_against_human(cohort_id)),
    }


def _titles(
    store: Store, banks: Mapping[str, Bank], rows: Sequence[CohortSession]
) -> tuple[dict[str, str], dict[tuple[str, str | None], str]]:
    """Stems of the questions and titles of the areas; from the bank a viva was held with, else from today's."""
    stems: dict[str, str] = {}
    areas: dict[tuple[str, str | None], str] = {}
    for row in rows:
        key = (row.session.discipline, row.session.area)
        if key in areas:
            continue
        try:
            bank = reporting.bank_of(store.load_session(row.session.id), banks)
        except StoreError:
            areas[key] = row.session.area or row.session.discipline
            continue
        areas[key] = next((area.title for area in bank.areas if area.key == row.session.area), bank.title)
        stems |= {question.id: question.stem for area in bank.areas for question in area.questions}
    return stems, areas


def _shares(rows: Sequence[CohortSession]) -> list[float]:
    return [row.result.score / row.result.max_score for row in rows if row.result and row.result.max_score]


def _facts(cohort: CohortRow, rows: Sequence[CohortSession], times: Sequence[TimeUsed]) -> list[list[str]]:
    shares = [100 * share for share in _shares(rows)]
    mean, half = mean_interval(shares)
    interval = "" if half is None else f" ({max(0.0, mean - half):.0f} to {min(100.0, mean + half):.0f})"
    minutes = [used.duration_s / 60 for used in times if used.duration_s is not None]
    return [
        ["Candidates", str(cohort.n_candidates)],
        ["Vivas that ended", str(len(rows))],
        ["Mean score, 95 % interval", f"{mean:.0f} %{interval}"],
        ["Median score", f"{stats.median(shares):.0f} %"],
        ["Lowest to highest", f"{min(shares):.0f} to {max(shares):.0f} %"],
        ["Median duration", f"{stats.median(minutes):.0f} min" if minutes else "\u2013"],
        ["Marks by people", f"{sum(row.n_corrected for row in rows)} of {sum(row.n_marks for row in rows)}"],
        ["Published", f"{sum(row.sitting.results_published_at is not None for row in rows)} of {len(rows)}"],
    ]


def _notes(rows: Sequence[CohortSession]) -> list[str]:
    held = sum(row.sitting.results_published_at is None for row in rows)
    return [f"{_n(held, 'result is', 'results are')} not published: the candidates do not know them."] if held else []


def _bins(rows: Sequence[CohortSession]) -> list[dict[str, Any]]:
    counts = [0] * N_BINS
    for share in _shares(rows):
        counts[min(N_BINS - 1, int(share * N_BINS))] += 1
    edges = [round(100 * n / N_BINS) for n in range(N_BINS + 1)]
    return [
        {"range": f"{edges[n]} to {edges[n + 1]} %", "n": str(count), "share": count / max(counts)}
        for n, count in enumerate(counts)
    ]


def _scores_said(rows: Sequence[CohortSession]) -> str:
    shares = _shares(rows)
    half = sum(share >= 0.5 for share in shares)
    return f"{half} of {len(shares)} reached half of the points or more."


def _person(row: CohortSession, areas: Mapping[tuple[str, str | None], str]) -> dict[str, Any]:
    result = row.result
    asides = [
        STATUSES[row.session.status],
        row.session.mode if row.session.mode != "exam" else "",
        f"attempt {row.sitting.attempt}" if row.sitting.attempt > 1 else "",
    ]
    return {
        "name": _name(row),
        "viva": areas.get((row.session.discipline, row.session.area), row.session.area or ""),
        "aside": ", ".join(aside for aside in asides if aside),
        "held": f"{row.session.started_at:%Y-%m-%d}",
        "score": "\u2013" if result is None else f"{number(result.score)} of {number(result.max_score)}",
        "share": 0.0 if result is None or not result.max_score else result.score / result.max_score,
        "verdicts": "\u2013" if result is None else f"{result.n_correct} / {result.n_partial} / {result.n_incorrect}",
        "by_people": str(row.n_corrected),
        "published": "yes" if row.sitting.results_published_at is not None else "no",
    }


def _name(row: CohortSession) -> str:
    return row.candidate.name if row.candidate is not None else row.session.candidate_name or row.session.pseudonym


def _by_name(row: CohortSession) -> tuple[str, int]:
    return _name(row).casefold(), row.sitting.attempt


def _item(place: int, item: ItemStatistics, stems: Mapping[str, str]) -> dict[str, Any]:
    weak = item.discrimination is not None and item.discrimination < 0.2
    return {
        "place": str(place),
        "stem": stems.get(item.question_id, item.question_id),
        "id": item.question_id,
        "n": str(item.n),
        "difficulty": f"{item.difficulty:.2f}",
        "share": item.difficulty,
        "discrimination": "\u2013" if item.discrimination is None else f"{item.discrimination:.2f}",
        "weak": weak,
        "verdicts": f"{item.n_correct} / {item.n_partial} / {item.n_incorrect}",
    }


def _agreement(found: Agreement) -> str:
    if not found.n:
        return (
            "Nobody has confirmed or changed a mark of this cohort yet, so that nothing can be said about the judge."
            " A random share of the marks, looked at by a person, tells how good it was."
        )
    same = "" if found.same_verdict is None else f"the same verdict in {100 * found.same_verdict:.0f} %"
    same += _interval(found.same_verdict_interval, percent=True)
    kappa = "" if found.kappa is None else f", weighted kappa of the points {found.kappa:.2f}"
    kappa += _interval(found.kappa_interval, percent=False)
    gave = "" if found.mean_difference is None else f" People gave {signed(found.mean_difference)} points on average."
    return (
        f"{_n(found.n, 'mark')} of {_n(found.n_sessions, 'viva')} were confirmed or changed by people: {same}{kappa}."
        f"{gave} Where people looked at doubtful marks only, the judge is better than these figures say."
    )


def signed(value: float) -> str:
    """A difference with its sign, as it is set in print."""
    return f"{value:+.1f}".replace("-", "\u2212")


def _interval(interval: tuple[float, float] | None, *, percent: bool) -> str:
    if interval is None:
        return ""
    low, high = interval
    return f" (95 % interval {100 * low:.0f} to {100 * high:.0f})" if percent else f" ({low:.2f} to {high:.2f})"


def _n(n: int, one: str, many: str | None = None) -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"
