"""The questions of an exam: asking, taking an answer, probing once, giving feedback, closing."""

from __future__ import annotations

from dataclasses import replace

from workbench.exam import lines
from workbench.exam.items import Area, Bank, KeyPoint, Question, Scenario
from workbench.exam.model import (
    MAX_POINTS,
    Effect,
    Evaluation,
    Finish,
    Judge,
    KeyPointEvidence,
    Line,
    SaveAnswer,
    SaveMark,
    Say,
    ShowQuestion,
)
from workbench.exam.state import AnswerRecord, ExamState, Step

JUDGE_PATIENCE_S = {"practice": 8.0, "exam": 3.0, "talk": 0.0}
"""How long a mark may hold the exam up before it goes on and takes the mark when it comes, seconds."""

CLOSING_PATIENCE_S = 45.0
"""How long the closing waits for marks that are out, seconds."""

PROBE_NEEDS_S = 20.0
"""Time that must be left of a question for a probe to be fair, seconds."""

NO_ANSWER_JUDGE = "no-answer 1"
"""Name of the judge of a question left without a word; it needs no model."""


def say(state: ExamState, *spoken: Line, before: tuple[Effect, ...] = ()) -> Step:
    """Speaks these lines after the effects `before`.

    Speaking costs the candidate no time: an open question's deadline moves by what is said.
    """
    moved = state.deadline_s
    if moved is not None and state.floor_open and state.is_question_open:
        moved += lines.spoken_s(spoken)
    state = replace(state, n_replies=state.n_replies + 1, deadline_s=moved)
    return Step(state, (*before, Say(tuple(spoken))))


def where(bank: Bank, state: ExamState) -> tuple[Area, Scenario, Question]:
    """Area, scenario and question of the question being asked."""
    area = bank.area(state.area or "")
    question = area.question(state.plan[state.number - 1][1])
    return area, area.scenario_of(question.id), question


def limit_s(state: ExamState) -> float:
    """Time for one question with the candidate's accommodation, seconds."""
    return state.setup.question_time_s * max(1.0, state.setup.extra_time)


def show(bank: Bank, state: ExamState) -> ShowQuestion:
    """The card of the question being asked."""
    _, scenario, question = where(bank, state)
    return ShowQuestion(
        number=state.number,
        total=state.total,
        question_id=question.id,
        scenario_title=scenario.title,
        scenario=scenario.text,
        stem=question.stem,
        key_terms=question.key_terms,
        deadline_s=state.deadline_s or 0.0,
    )


def ask_next(bank: Bank, state: ExamState, spoken: tuple[Line, ...] = (), effects: tuple[Effect, ...] = ()) -> Step:
    """Asks the next question, telling its case first when that changes, or closes after the last one."""
    if state.number >= len(state.plan):
        return close(bank, state, completed=True, spoken=spoken, effects=effects)
    scenario_id, question_id = state.plan[state.number]
    area = bank.area(state.area or "")
    question, scenario = area.question(question_id), area.scenario_of(question_id)
    asked = list(spoken)
    if state.number == 0 or state.plan[state.number - 1][0] != scenario_id:
        cases = list(dict.fromkeys(case for case, _ in state.plan))
        asked.append(lines.scenario_line(state, scenario, cases.index(scenario_id), len(cases)))
    number = state.number + 1
    asked.append(lines.question_line(number, question))
    state = replace(
        state,
        phase="question",
        number=number,
        records=(*state.records, AnswerRecord(number, question_id)),
        key_terms=question.key_terms,
        draft="",
        # a first estimate; the clock starts when the candidate has the floor
        deadline_s=state.now_s + lines.spoken_s(asked) + limit_s(state),
        floor_open=False,
        warned=False,
        timed_out=False,
        quiet_since_s=None,
        silence_level=0,
        granted_until_s=0.0,
    )
    return say(state, *asked, before=(*effects, show(bank, state)))


def take_answer(bank: Bank, state: ExamState, text: str, *, typed: bool = False, confidence: float = 1.0) -> Step:
    """Keeps what was said to the open question and has it marked."""
    record = state.current
    assert record is not None
    said = " ".join(part for part in (state.draft, text.strip()) if part)
    record = replace(
        record,
        text=" ".join(part for part in (record.text, said) if part),
        confidence=min(record.confidence, confidence),
        pending=True,
        skipped=False,
    )
    saved = SaveAnswer(record.question_id, record.number, said, typed, probe=record.probe_id is not None)
    state = replace(
        state.with_record(record),
        phase="judging",
        draft="",
        judging_since_s=state.now_s,
        unanswered_in_row=0,
    )
    return Step(state, (saved, Judge(record.question_id, record.text, record.confidence)))


def leave_open(bank: Bank, state: ExamState, key: str, text: str = "", *, typed: bool = False) -> Step:
    """Goes on without (more of) an answer: skipped, not known, not said.

    What was said before still counts; a question without a word is marked here, no judge is needed.
    """
    record = state.current
    assert record is not None
    if state.draft:
        state = state.with_record(replace(record, may_probe=key != "skip"))
        return take_answer(bank, state, "", typed=typed)
    lead = lines.fixed(state, key, "acknowledge")
    saved = SaveAnswer(record.question_id, record.number, text, typed, record.probe_id is not None, skipped=True)
    if record.evaluation is not None or record.text:
        return conclude(bank, state, (lead,), (saved,))
    _, _, question = where(bank, state)
    evidence = tuple(KeyPointEvidence(point.id, "missing", "", point.weight) for point in question.key_points)
    evaluation = Evaluation(question.id, "incorrect", 0.0, evidence, 1.0, NO_ANSWER_JUDGE)
    state = state.with_record(replace(record, skipped=True, evaluation=evaluation))
    return conclude(bank, state, (lead,), (saved,))


def take_mark(bank: Bank, state: ExamState, evaluation: Evaluation) -> Step:
    """A mark came back: of the question being judged, or of an earlier one while another is running."""
    record = next((r for r in state.records if r.question_id == evaluation.question_id and r.pending), None)
    if record is None:
        return Step(state)
    points = min(max(evaluation.points, 0.0), float(MAX_POINTS))
    record = replace(record, evaluation=replace(evaluation, points=points), pending=False)
    state = state.with_record(record)
    waits = record.number == state.number and "judging" in (state.phase, state.return_to)
    if not waits:
        step = give_out(state, record)
        if step.state.phase == "closing" and not step.state.pending:
            closed = finish(bank, step.state)
            return Step(closed.state, (*step.effects, *closed.effects))
        return step
    if state.phase != "judging":
        return Step(state)
    return after_mark(bank, state)


def after_mark(bank: Bank, state: ExamState) -> Step:
    """The answer being judged has its mark: probe once where that may help, else go on."""
    record = state.current
    assert record is not None
    _, scenario, question = where(bank, state)
    point = _worth_probing(state, question, record)
    if point is None:
        return conclude(bank, state)
    key = "to_probe" if state.setup.mode == "practice" else "to_probe_exam"
    record = replace(record, probe_id=point.id)
    state = replace(
        state.with_record(record), phase="probe", probe_text=point.probe, quiet_since_s=None, silence_level=0
    )
    lead = lines.fixed(state, key, "acknowledge")
    return say(state, lead, lines.probe_line(question, scenario, record, point))


def _worth_probing(state: ExamState, question: Question, record: AnswerRecord) -> KeyPoint | None:
    """The heaviest missing key point of a partial answer, if it weighs at least an average one and time is left."""
    evaluation = record.evaluation
    if evaluation is None or evaluation.verdict != "partial" or record.probe_id is not None or not record.may_probe:
        return None
    if state.timed_out:
        return None
    if state.deadline_s is not None and state.deadline_s - state.now_s < PROBE_NEEDS_S:
        return None
    missing = {e.key_point_id for e in evaluation.evidence if e.status == "missing"}
    mean = sum(point.weight for point in question.key_points) / max(1, len(question.key_points))
    heavy = [p for p in question.key_points if p.id in missing and p.probe and p.weight >= mean - 1e-9]
    return max(heavy, key=lambda point: point.weight, default=None)


def give_out(state: ExamState, record: AnswerRecord | None) -> Step:
    """The final mark of one answer, once."""
    if record is None or record.evaluation is None or record.final:
        return Step(state)
    public = state.setup.mode == "practice" or (state.phase == "done" and not state.setup.results_held)
    mark = SaveMark(record.number, record.evaluation, public)
    return Step(state.with_record(replace(record, final=True)), (mark,))


def conclude(bank: Bank, state: ExamState, spoken: tuple[Line, ...] = (), effects: tuple[Effect, ...] = ()) -> Step:
    """Gives the mark of the current question out, with feedback in practice, and asks the next one."""
    record = state.current
    assert record is not None
    step = give_out(state, record)
    state, effects = step.state, (*effects, *step.effects)
    said = list(spoken)
    if state.timed_out:
        said.insert(0, lines.fixed(state, "time_up", "time_up"))
    if record.evaluation is not None and state.setup.mode == "practice":
        _, _, question = where(bank, state)
        said += lines.feedback(state, question, record, record.evaluation)
    elif not said:
        said.append(lines.fixed(state, "thanks", "acknowledge"))
    return ask_next(bank, state, tuple(said), effects)


def go_on_unmarked(bank: Bank, state: ExamState) -> Step:
    """The judge takes too long: the next question is asked, the mark is taken when it comes."""
    key = "marking_later" if state.setup.mode == "practice" else "thanks"
    return ask_next(bank, state, (lines.fixed(state, key, "apology" if key == "marking_later" else "acknowledge"),))


def time_up(bank: Bank, state: ExamState, text: str) -> Step:
    """The time of the question is over: what was said is marked, a turn cut short included."""
    state = replace(state, timed_out=True)
    record = state.current
    assert record is not None
    if text.strip() or state.draft:
        return take_answer(bank, state, text)
    if record.text:
        return conclude(bank, state)
    return leave_open(bank, state, "move_on")


def close(
    bank: Bank, state: ExamState, *, completed: bool, spoken: tuple[Line, ...] = (), effects: tuple[Effect, ...] = ()
) -> Step:
    """Says goodbye, at once or when the marks still out have come back."""
    state = replace(
        state, phase="closing", return_to=None, completed=completed, key_terms=(), judging_since_s=state.now_s
    )
    key = "closing" if completed else "closing_early"
    said = (*spoken, lines.fixed(state, key, "closing"))
    if state.pending:
        return say(state, *said, lines.fixed(state, "closing_wait", "closing"), before=effects)
    return finish(bank, state, said, effects)


def finish(bank: Bank, state: ExamState, spoken: tuple[Line, ...] = (), effects: tuple[Effect, ...] = ()) -> Step:
    """Every mark becomes public and the result is told, unless it is held; the exam is over."""
    public = tuple(
        SaveMark(r.number, r.evaluation, public=state.setup.mode == "practice" or not state.setup.results_held)
        for r in state.records
        if r.evaluation is not None and (state.setup.mode != "practice" or not r.final)
    )
    records = tuple(replace(r, final=r.final or r.evaluation is not None) for r in state.records)
    state = replace(state, phase="done", records=records)
    step = say(state, *spoken, *lines.summary(bank, state), before=(*effects, *public))
    return Step(step.state, (*step.effects, Finish(completed=bool(state.completed))))
