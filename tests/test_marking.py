"""Educators over the judge: overrides, undo, moderation, publishing, and what the cohort's numbers say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.store_helpers import answer, mark, new_session, store_at
from workbench.statistics.core import quadratic_weighted_kappa
from workbench.store.cohort_statistics import CountedMark, agreement, item_statistics
from workbench.store.errors import SessionNotFound, StoreError
from workbench.store.repository import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_at(tmp_path)
    yield store
    store.close()


def sat(store: Store, session_id: str, *points: float, confidence: float = 0.9, **options: object) -> str:
    new_session(store, session_id=session_id, **options)
    for number, given in enumerate(points, 1):
        answer(store, session_id, number)
        judged = replace(mark(given, f"q{number}"), confidence=confidence - number / 100)
        store.save_evaluation(session_id, number, judged)
    store.finish_session(session_id, completed=True)
    return session_id


def points(store: Store, session_id: str, number: int = 1) -> tuple[float, str]:
    counts = store.load_session(session_id).marks_that_count[number]
    return counts.evaluation.points, counts.rater


def test_an_override_counts_at_once_and_the_judges_mark_stays_in_the_history(store: Store):
    sat(store, "s", 4, 6)
    made = store.override_mark("s", 1, actor="eve", reason="named it by another name", verdict="correct", points=9)
    assert (made.rater, made.reason, made.evaluation.verdict) == ("eve", "named it by another name", "correct")
    result = store.load_session("s").result
    assert result is not None and (result.score, result.n_correct) == (15, 1)
    assert [(row.evaluation.points, row.rater) for row in store.mark_history("s", 1)] == [(4, "judge"), (9, "eve")]
    judged = store.mark_history("s", 1)[0]
    assert made.evaluation.evidence == judged.evaluation.evidence
    assert (made.told.judge, judged.told.judge) == ("an examiner", judged.evaluation.judge)


def test_the_audit_log_says_who_overrode_what_and_holds_no_reason(store: Store):
    sat(store, "s", 4)
    store.override_mark("s", 1, actor="eve", reason="a secret sentence", points=5)
    entry = store.audit_log("s")[0]
    assert (entry.actor, entry.action, entry.detail["number"], entry.detail["points"]) == (
        "eve",
        "mark.overridden",
        1,
        5,
    )
    assert "secret" not in str(store.audit_log())


def test_undo_goes_back_step_by_step_to_the_judges_mark_and_no_further(store: Store):
    sat(store, "s", 4)
    store.override_mark("s", 1, actor="eve", reason="first", points=6)
    store.override_mark("s", 1, actor="bob", reason="second", points=8)
    assert points(store, "s") == (8, "bob")
    back = store.undo_override("s", 1, actor="eve")
    assert points(store, "s") == (6, "eve") and back.reason == "first"
    store.undo_override("s", 1, actor="eve")
    assert points(store, "s") == (4, "judge")
    with pytest.raises(StoreError, match="no override to undo"):
        store.undo_override("s", 1, actor="eve")
    assert len(store.mark_history("s", 1)) == 5
    result = store.load_session("s").result
    assert result is not None and result.score == 4
    assert [entry.action for entry in store.audit_log("s")][:2] == ["mark.restored", "mark.restored"]


def test_where_the_judge_gave_no_mark_an_undo_leaves_the_question_unmarked(store: Store):
    cohort_id = store.create_cohort("Spring", actor="eve").id
    store.add_candidate(cohort_id, "Ada", actor="eve")
    (new,) = store.create_invitations(discipline="medical", actor="eve", cohort_id=cohort_id)
    new_session(store, session_id="s", invitation_id=new.invitation.id)
    answer(store, "s", 1)
    store.finish_session("s", completed=True)
    for given in (9, 5):
        store.override_mark("s", 1, actor="eve", reason="the judge was down", verdict="partial", points=given)
        assert points(store, "s") == (given, "eve")
        assert store.undo_override("s", 1, actor="bob") is None
        data = store.load_session("s")
        assert data.marks_that_count == {} and store.moderation_queue() == ()
        assert data.result is not None
        assert (data.result.score, data.result.n_partial, data.result.n_incorrect) == (0, 0, 0)
        ((line,), _), (row,) = store.session_overview(), store.cohort_sessions(cohort_id)
        assert (line.n_marks, line.n_corrected, line.doubt) == (0, 0, None)
        assert (row.n_marks, row.n_corrected) == (0, 0) and store.counted_marks() == ()
        entry = store.audit_log("s")[0]
        assert (entry.actor, entry.action, entry.detail["number"]) == ("bob", "mark.withdrawn", 1)
        with pytest.raises(StoreError, match="no override to undo"):
            store.undo_override("s", 1, actor="eve")
    # what was given and taken back stays in the history
    assert [mark.evaluation.points for mark in store.mark_history("s", 1) if not mark.is_none] == [9, 5]


def test_a_second_opinion_over_a_first_mark_is_undone_to_it_and_then_to_none(store: Store):
    new_session(store, session_id="s")
    answer(store, "s", 1)
    store.finish_session("s", completed=True)
    store.override_mark("s", 1, actor="eve", reason="a", verdict="correct", points=9)
    store.override_mark("s", 1, actor="bob", reason="b", points=7)
    back = store.undo_override("s", 1, actor="bob")
    assert back is not None and points(store, "s") == (9, "eve")
    assert store.undo_override("s", 1, actor="bob") is None
    assert store.load_session("s").marks_that_count == {}


def test_a_question_that_is_unmarked_again_can_still_get_the_judges_mark(store: Store):
    new_session(store, session_id="s")
    answer(store, "s", 1)
    store.mark_abandoned("s")
    store.override_mark("s", 1, actor="eve", reason="a", verdict="correct", points=9)
    store.undo_override("s", 1, actor="eve")
    store.reopen("s")
    store.commit_turn("s", "{}", at_s=2, marks=[(1, mark(4, "q1"), True)])
    assert points(store, "s") == (4, "judge")
    assert store.finish_session("s", completed=True).score == 4
    assert [row.points for row in store.moderation_queue()] == [4]


def test_an_override_after_an_undo_can_be_undone_to_what_the_undo_brought_back(store: Store):
    sat(store, "s", 4)
    store.override_mark("s", 1, actor="eve", reason="a", points=6)
    store.override_mark("s", 1, actor="eve", reason="b", points=8)
    store.undo_override("s", 1, actor="eve")
    store.override_mark("s", 1, actor="eve", reason="c", points=2)
    for expected in ((6, "eve"), (4, "judge")):
        store.undo_override("s", 1, actor="eve")
        assert points(store, "s") == expected


@pytest.mark.parametrize(
    "options, said",
    [
        ({"points": 10.5}, "steps of 0.5"),
        ({"points": 3.3}, "steps of 0.5"),
        ({"points": float("nan")}, "steps of 0.5"),
        ({"verdict": "good"}, "correct, partial, incorrect"),
        ({"points": 9, "reason": "  "}, "needs one of 1 to"),
        ({"points": 9, "actor": "judge"}, "not 'judge'"),
        ({"points": 4}, "already"),
        ({"points": 9, "number": 7}, "was not asked"),
    ],
)
def test_an_override_that_does_not_fit_changes_nothing(store: Store, options: dict[str, object], said: str):
    sat(store, "s", 4)
    given = {"number": 1, "actor": "eve", "reason": "r", **options}
    with pytest.raises(StoreError, match=said):
        store.override_mark("s", **given)  # type: ignore[arg-type]
    assert points(store, "s") == (4, "judge") and len(store.mark_history("s")) == 1


def test_a_running_viva_is_not_marked_by_hand(store: Store):
    new_session(store, session_id="s")
    answer(store, "s")
    store.save_evaluation("s", 1, mark(4))
    with pytest.raises(StoreError, match="still running"):
        store.override_mark("s", 1, actor="eve", reason="r", points=5)
    store.mark_abandoned("s")
    store.override_mark("s", 1, actor="eve", reason="r", points=5)
    store.reopen("s")
    with pytest.raises(StoreError, match="still running"):
        store.undo_override("s", 1, actor="eve")


def test_an_override_of_an_abandoned_exam_counts_after_its_candidate_came_back_and_finished(store: Store):
    new_session(store, session_id="s", mode="exam")
    judged = [(number, mark(4, f"q{number}"), False) for number in (1, 2, 3)]
    store.commit_turn("s", "{}", at_s=1, marks=judged)
    store.mark_abandoned("s")
    store.override_mark("s", 3, actor="eve", reason="named it by another name", verdict="correct", points=9)
    store.reopen("s")
    store.commit_turn("s", "{}", at_s=2, marks=[(number, again, True) for number, again, _ in judged])
    assert store.finish_session("s", completed=True).score == 4 + 4 + 9
    assert points(store, "s", 3) == (9, "eve") and len(store.mark_history("s", 1)) == 2
    store.undo_override("s", 3, actor="eve")
    assert points(store, "s", 3) == (4, "judge")


def test_an_answer_the_judge_never_marked_can_be_given_its_first_mark(store: Store):
    new_session(store, session_id="s")
    answer(store, "s", 1)
    store.finish_session("s", completed=True)
    store.override_mark("s", 1, actor="eve", reason="the judge failed", verdict="partial", points=5)
    assert points(store, "s") == (5, "eve")


def test_the_moderation_queue_has_the_most_doubtful_first_and_loses_what_was_looked_at(store: Store):
    sat(store, "sure", 4, confidence=0.95)
    sat(store, "unsure", 4, 6, confidence=0.4)
    new_session(store, session_id="running")
    store.save_evaluation("running", 1, mark(5))
    queue = store.moderation_queue()
    assert [(row.session_id, row.number) for row in queue] == [("unsure", 2), ("unsure", 1), ("sure", 1)]
    assert queue[0].doubt == pytest.approx(0.62)
    assert [row.session_id for row in store.moderation_queue(min_doubt=0.5)] == ["unsure", "unsure"]
    store.override_mark("unsure", 2, actor="eve", reason="r", points=8)
    store.confirm_mark("unsure", 1, actor="eve")
    assert [row.session_id for row in store.moderation_queue()] == ["sure"]
    store.undo_override("unsure", 1, actor="eve")
    assert [row.session_id for row in store.moderation_queue(limit=1)] == ["unsure"]


def test_deleting_a_session_takes_overrides_and_sitting_with_it(store: Store):
    (new,) = store.create_invitations(discipline="medical", actor="eve")
    sat(store, "s", 4, invitation_id=new.invitation.id)
    store.override_mark("s", 1, actor="eve", reason="a sentence that must go", points=5)
    store.delete_session("s", actor="eve")
    assert store.sitting("s") is None and store.moderation_queue() == ()
    rest = b"".join(file.read_bytes() for file in store.settings.data_dir.glob("viva.sqlite3*"))
    assert b"a sentence that must go" not in rest


def test_results_of_a_link_are_held_until_published_and_those_of_the_open_page_never(store: Store):
    held, shown = (
        store.create_invitations(discipline="medical", actor="eve", show_results=show)[0] for show in (False, True)
    )
    sat(store, "held", 4, invitation_id=held.invitation.id)
    sat(store, "shown", 4, invitation_id=shown.invitation.id)
    sat(store, "open", 4)
    assert [store.results_held(name) for name in ("held", "shown", "open")] == [True, False, False]
    assert store.publish_results(["held", "shown", "open"], actor="eve") == ("held",)
    assert not store.results_held("held")
    assert store.audit_log("held")[0].action == "results.published"
    assert store.hide_results(["held"], actor="eve") == ("held",) and store.results_held("held")


def test_publishing_is_all_or_nothing(store: Store):
    (new,) = store.create_invitations(discipline="medical", actor="eve", attempts=2)
    sat(store, "done", 4, invitation_id=new.invitation.id)
    new_session(store, session_id="running", invitation_id=new.invitation.id)
    with pytest.raises(StoreError, match="still running"):
        store.publish_results(["done", "running"], actor="eve")
    with pytest.raises(SessionNotFound):
        store.publish_results(["done", "none"], actor="eve")
    assert store.results_held("done")


def test_a_cohorts_sessions_say_who_sat_them_and_how_far_the_marking_is(store: Store):
    cohort = store.create_cohort("Year 3", actor="eve").id
    store.add_candidate(cohort, "Ada", actor="eve")
    (new,) = store.create_invitations(discipline="medical", cohort_id=cohort, actor="eve")
    sat(store, "s", 4, 6, invitation_id=new.invitation.id)
    sat(store, "elsewhere", 4)
    store.override_mark("s", 1, actor="eve", reason="r", points=5)
    (row,) = store.cohort_sessions(cohort)
    assert row.candidate is not None and row.candidate.name == "Ada" and row.result is not None
    assert (row.session.id, row.n_marks, row.n_corrected, row.sitting.attempt) == ("s", 2, 1, 1)
    assert [item.question_id for item in store.item_statistics(cohort)] == ["q1", "q2"]
    assert len(store.item_statistics()) == 2 and store.item_statistics()[0].n == 2


def test_time_used_is_counted_from_the_end_of_the_question_to_the_end_of_the_answer(store: Store):
    new_session(store, session_id="s")
    store.save_turn("s", "examiner", "q", start_s=1, end_s=5, number=1)
    store.save_turn("s", "candidate", "a", start_s=7, end_s=12, number=1)
    store.save_turn("s", "examiner", "probe", start_s=13, end_s=14, number=1)
    store.save_turn("s", "candidate", "b", start_s=15, end_s=20.5, number=1)
    store.save_turn("s", "candidate", "thanks", start_s=30, end_s=31)
    store.finish_session("s", completed=True)
    (used,) = store.time_used()
    assert used.question_s == {1: 15.5} and used.duration_s is not None


# ---- statistics ----


def test_the_kappa_is_the_one_scikit_learn_computes():
    cohen_kappa_score = pytest.importorskip("sklearn.metrics").cohen_kappa_score
    generator = np.random.default_rng(1)
    for _ in range(20):
        first = generator.integers(0, 21, 50)
        second = np.clip(first + generator.integers(-4, 5, 50), 0, 20)
        expected = cohen_kappa_score(first, second, weights="quadratic", labels=range(21))
        assert quadratic_weighted_kappa(first / 2, second / 2) == pytest.approx(expected)


def counted(session: str, number: int, human: float | None, judge: float) -> CountedMark:
    verdict = "correct" if (judge if human is None else human) >= 8 else "partial"
    judged = "correct" if judge >= 8 else "partial"
    given = judge if human is None else human
    return CountedMark(session, number, f"q{number}", verdict, given, human is not None, judged, judge)  # type: ignore[arg-type]


def test_the_judge_is_compared_on_what_humans_marked_only():
    marks = [counted("a", 1, 8, 8), counted("a", 2, None, 3), counted("b", 1, 5, 8), counted("b", 2, 6, 6)]
    found = agreement(marks)
    assert (found.n, found.n_sessions, found.same_verdict) == (3, 2, pytest.approx(2 / 3))
    assert found.kappa == pytest.approx(quadratic_weighted_kappa([8, 5, 6], [8, 8, 6]))
    assert found.mean_difference == pytest.approx(-1)
    assert found.kappa_interval is not None and found.kappa_interval[0] <= found.kappa <= found.kappa_interval[1]
    assert agreement(marks) == found
    assert agreement([]).n == 0 and agreement([]).kappa is None
    assert agreement(marks[:1]).kappa_interval is None


def test_the_interval_covers_the_true_agreement_about_as_often_as_it_says():
    generator = np.random.default_rng(5)
    covered = 0
    for repeat in range(60):
        marks = []
        for session in range(40):
            for number in range(4):
                human = float(generator.integers(0, 2) * 9)
                judge = human if generator.random() < 0.8 else 9 - human
                marks.append(counted(f"s{session}", number, human, judge))
        interval = agreement(marks, seed=repeat).same_verdict_interval
        assert interval is not None
        covered += interval[0] <= 0.8 <= interval[1]
    # 60 trials at 95 %: fewer than 50 would happen once in ten thousand
    assert covered >= 50


def test_a_question_that_only_the_strong_answer_discriminates_and_one_that_all_answer_does_not():
    strength = [1, 3, 5, 7, 9]
    marks = []
    for place, level in enumerate(strength):
        marks += [
            counted(f"s{place}", 1, None, float(level)),
            counted(f"s{place}", 2, None, float(level)),
            counted(f"s{place}", 3, None, 10.0),
            counted(f"s{place}", 4, None, float(10 - level)),
            counted(f"s{place}", 5, None, float(level)),
        ]
    found = {item.question_id: item for item in item_statistics(marks)}
    assert found["q3"].discrimination is None and found["q3"].difficulty == 1
    assert found["q1"].discrimination is not None and found["q1"].discrimination > 0.9
    assert found["q4"].discrimination is not None and found["q4"].discrimination < -0.9
