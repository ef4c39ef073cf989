"""Questions, findings, previews and evidence as markup."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from workbench.bank_exchange import Preview
from workbench.exam.bank_file import Finding
from workbench.exam.items import Area, Bank, KeyPoint, Question, Scenario
from workbench.exam.model import Evaluation
from workbench.store.rows_educators import ReleaseRow
from workbench.web.educators.tables import badge, note, table, when

MAX_FINDINGS = 100
VERDICTS = {"correct": "good", "partial": "mid", "incorrect": "bad"}
STATUSES = {"covered": "good", "contradicted": "bad", "missing": "plain"}


def bank_card(bank: Bank) -> str:
    """What a bank is: title, version, licence, what it is for and not for, and how much it holds."""
    n_questions = sum(1 for _ in bank.questions())
    facts = f"Version {bank.version}, {bank.licence}, {len(bank.areas)} areas, {n_questions} questions."
    lines = [f"<h3>{escape(bank.title)}</h3><p>{escape(facts)}</p>"]
    lines += [f"<p>{escape(text)}</p>" for text in (bank.description,) if text]
    if bank.not_for:
        lines.append(note(f"Not for: {bank.not_for}", "mid"))
    return f'<article class="edu-question">{"".join(lines)}</article>'


def question_card(area: Area, scenario: Scenario, question: Question) -> str:
    """A question with everything that an examiner knows of it."""
    where = area.title if area.jurisdiction is None else f"{area.title} ({area.jurisdiction})"
    level = f"{question.cognitive_level}, difficulty {question.difficulty} of 5"
    exemplars = table(
        ("Verdict", "Points", "Answer"),
        [(badge(one.verdict, VERDICTS[one.verdict]), f"{one.points:g}", one.text) for one in question.exemplars],
        caption="Exemplar answers",
        empty="No exemplar answers.",
    )
    return (
        f'<article class="edu-question"><p class="edu-lede">{escape(where)} · {escape(level)}</p>'
        f"<h3>{escape(scenario.title)}</h3><p>{escape(scenario.text)}</p>"
        f'<p class="edu-stem">{escape(question.stem)}</p>'
        f"<h4>Key points</h4>{''.join(_point(point) for point in question.key_points)}"
        f"<h4>Model answer</h4><p>{escape(question.model_answer)}</p>"
        f"<details><summary>{len(question.exemplars)} exemplar answers</summary>{exemplars}</details>"
        f"<h4>Sources</h4><ul>{''.join(f'<li>{escape(source)}</li>' for source in question.sources)}</ul></article>"
    )


def _point(point: KeyPoint) -> str:
    weight = f"{point.weight:.0%}" + (", essential" if point.essential else "")
    rows = [("Accepted", "; ".join(point.accepted)), ("Contradicted by", "; ".join(point.misconceptions))]
    rows.append(("Probe", point.probe))
    facts = "".join(f"<dt>{label}</dt><dd>{escape(text)}</dd>" for label, text in rows if text)
    return f'<div class="edu-point"><p>{escape(point.text)} {badge(weight)}</p><dl>{facts}</dl></div>'


def evidence(question: Question, evaluation: Evaluation) -> str:
    """What the judge found in an answer, key point by key point, in the answer's own words."""
    rows = []
    for item in evaluation.evidence:
        quote = f"“{item.quote}”" if item.quote else ""
        status = badge(item.status, STATUSES[item.status])
        rows.append((question.key_point(item.key_point_id).text, f"{item.weight:.0%}", status, quote))
    verdict = badge(evaluation.verdict, VERDICTS[evaluation.verdict])
    told = f"{evaluation.points:g} of 10 points, confidence {evaluation.confidence:.0%}, judge {evaluation.judge}"
    found = table(("Key point", "Weight", "Found", "In the words"), rows, caption="Evidence", empty="No key points.")
    return f'<div class="edu-evidence" role="status"><p>{verdict} {escape(told)}</p>{found}</div>'


def findings_list(findings: Sequence[Finding], *, good: str = "No finding.") -> str:
    """What is to be mended, by line."""
    if not findings:
        return note(good, "good")
    shown = findings[:MAX_FINDINGS]
    more = f", the first {MAX_FINDINGS} shown" if len(findings) > MAX_FINDINGS else ""
    plural = "finding" if len(findings) == 1 else "findings"
    rows = [(finding.line or "", finding.question, finding.message, finding.code) for finding in shown]
    listed = table(("Line", "Question", "What to mend", "Kind"), rows, caption="Findings", empty="")
    # a long list scrolls by itself, so that the buttons below stay within reach
    scrolled = f'<div class="edu-scroll" role="region" aria-label="Findings" tabindex="0">{listed}</div>'
    return note(f"{len(findings)} {plural}{more}.", "mid") + scrolled


def preview_card(seen: Preview) -> str:
    """What an upload holds and what an import would make of it, before anything is saved."""
    kind = "unknown format" if seen.format is None else seen.format
    lines = note(f"{seen.name} ({kind}). Nothing is saved yet.")
    if seen.bank is None:
        lines += note("The file holds no bank as it is. It can be kept as a draft and mended here.", "bad")
    headings = ("Discipline", "Area", "Title", "Scenarios", "Questions", "Key points", "Exemplars")
    rows = [tuple(row.values()) for row in seen.summary]
    lines += table(headings, rows, caption="What the file holds", empty="") if rows else ""
    lines += findings_list(seen.findings)
    if seen.unmapped:
        left = [(str(item),) for item in seen.unmapped[:MAX_FINDINGS]]
        lines += note(f"{len(seen.unmapped)} things of the file have no place in a bank and are left out:", "mid")
        lines += table(("Left out",), left, caption="What is left out", empty="")
    return lines


def releases_table(releases: Sequence[ReleaseRow]) -> str:
    """Published versions; each stays as it is."""
    rows = []
    for release in releases:
        state = badge("published", "good") if release.withdrawn_at is None else badge("withdrawn", "bad")
        by = f"{release.published_by}, {when(release.published_at)}"
        rows.append((release.discipline, release.version, state, by, release.note))
    headings = ("Discipline", "Version", "State", "Published by", "Note")
    empty = "No version was published here yet; vivas are held with the built-in banks."
    return table(headings, rows, caption="Published versions", empty=empty)
