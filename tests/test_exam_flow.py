"""The rules of an exam, one by one."""

from __future__ import annotations

import pytest

from tests.exam_driver import Exam
from tests.small_bank import BANK
from workbench.exam.flow import ExamState, new_exam
from workbench.exam.model import (
    AreaChosen,
    Begin,
    ConsentGiven,
    ExamSetup,
    Finish,
    GrantTime,
    Heard,
    Judge,
    OfferAreas,
    Returned,
    SaveAnswer,
    SaveMark,
    SetArea,
    SetCandidate,
    SetConsent,
    SetPaused,
    ShowQuestion,
    Spoken,
)

# ---- the opening -------------------------------------------------------------------------------------------------


def test_the_welcome_says_that_the_examiner_is_a_program_and_asks_for_the_name() -> None:
    exam = Exam(known=False)
    assert "computer program" in exam.text()
    assert exam.kinds() == ["welcome", "ask_name"] and exam.state.expects == "name"


def test_name_consent_and_area_are_asked_in_turn_and_the_first_question_follows() -> None:
    exam = Exam(known=False)
    exam.hear("Um, my name is Ada Lovelace.")
    assert exam.of(SetCandidate) == [SetCandidate("Ada Lovelace")] and exam.state.expects == "consent"
    exam.hear("Yes, that's fine.")
    assert exam.of(SetConsent) == [SetConsent(True)] and exam.state.expects == "area"
    assert exam.of(OfferAreas) == [OfferAreas((("cardiology", "Cardiology"), ("respiratory", "Respiratory Medicine")))]
    exam.hear("card yology please")
    assert exam.of(SetArea) == [SetArea("cardiology")]
    assert exam.kinds()[-2:] == ["scenario", "question"] and exam.state.number == 1


def test_what_is_known_from_the_page_is_not_asked() -> None:
    exam = Exam()
    assert exam.kinds() == ["welcome", "ask_area", "scenario", "question"]
    assert "Ada" in exam.text() and exam.state.number == 1


def test_a_name_that_is_never_caught_does_not_stop_the_exam() -> None:
    exam = Exam(known=False)
    for _ in range(3):
        exam.hear("I am ready")
    assert exam.state.phase == "consent" and exam.of(SetCandidate) == [SetCandidate("Candidate")]


def test_without_consent_there_is_no_exam() -> None:
    exam = Exam(known=False, candidate="Ada")
    exam.hear("No, I would rather not.")
    assert exam.of(SetConsent) == [SetConsent(False)] and exam.of(Finish) == [Finish(completed=False)]
    assert exam.state.phase == "done" and exam.state.number == 0


def test_an_unclear_consent_is_asked_again_however_often() -> None:
    exam = Exam(known=False, candidate="Ada")
    for _ in range(5):
        exam.hear("What do you mean by that, hmm")
        assert exam.state.phase == "consent"


def test_consent_and_area_can_be_clicked() -> None:
    exam = Exam(known=False, candidate="Ada")
    exam.happen(ConsentGiven(True, 1.0))
    assert exam.state.phase == "area"
    exam.happen(AreaChosen("nowhere", 2.0))
    assert exam.state.phase == "area"
    exam.happen(AreaChosen("respiratory", 3.0))
    assert exam.state.area == "respiratory" and exam.state.number == 1


def test_an_area_that_is_never_understood_is_chosen_by_the_examiner() -> None:
    exam = Exam(known=False, candidate="Ada", consented=True)
    for _ in range(3):
        exam.hear("pineapple")
    assert exam.state.number == 1 and exam.state.area in ("cardiology", "respiratory")


def test_an_exam_for_an_unknown_area_is_refused_with_the_areas_there_are() -> None:
    with pytest.raises(KeyError, match="cardiology"):
        new_exam(BANK, ExamSetup(area="surgery"))


# ---- the questions -----------------------------------------------------------------------------------------------


def test_four_scenarios_with_three_questions_each_are_asked_and_each_case_is_told_once() -> None:
    exam = Exam()
    told = exam.kinds().count("scenario")
    for number in range(1, 13):
        assert exam.state.number == number
        exam.hear("I would give aspirin.", "correct")
        told += exam.kinds().count("scenario")
    assert told == 4 and exam.state.phase == "done"
    assert len({scenario for scenario, _ in exam.state.plan}) == 4 and exam.state.score == 120.0


def test_the_seed_chooses_the_questions() -> None:
    plans = {Exam(seed=seed).state.plan for seed in range(20)}
    assert len(plans) > 5
    assert Exam(seed=7).state.plan == Exam(seed=7).state.plan


def test_an_answer_is_saved_before_it_is_judged_and_before_anything_is_said() -> None:
    exam = Exam()
    effects = exam.hear("I would give aspirin.")
    assert [type(effect) for effect in effects] == [SaveAnswer, Judge]
    assert effects[0].text == "I would give aspirin." and not effects[0].probe


def test_practice_gives_verdict_right_missing_model_answer_and_the_next_question() -> None:
    exam = Exam()
    exam.hear("An ECG.", "partial")
    exam.hear("I don't know.")
    assert exam.kinds() == ["acknowledge", "feedback", "acknowledge", "feedback", "model_answer", "question"]
    text = exam.text()
    assert "You rightly mentioned an electrocardiogram." in text
    assert "You did not mention aspirin straight away or calling the senior." in text
    assert "A full answer: Give aspirin at once." in text
    assert exam.of(SaveMark)[0].public


def test_the_first_line_of_practice_feedback_is_its_verdict_in_a_few_words() -> None:
    firsts = {}
    for verdict in ("correct", "incorrect"):
        exam = Exam()
        exam.hear("I would give aspirin.", verdict)
        firsts[verdict] = exam.lines()[0].text
        assert len(firsts[verdict].split()) <= 5
    assert firsts["correct"] != firsts["incorrect"]


def test_exam_mode_thanks_neutrally_and_keeps_marks_to_the_end() -> None:
    exam = Exam("exam")
    exam.hear("An anecdote.", "incorrect")
    assert exam.kinds() == ["acknowledge", "question"] and "hank" in exam.lines()[0].text
    assert not exam.of(SaveMark)[0].public
    for _ in range(11):
        exam.hear("I would give aspirin.", "correct")
    public = [mark for mark in exam.of(SaveMark) if mark.public]
    assert [mark.number for mark in public] == list(range(1, 13))
    assert "110 of 120" in exam.text() and exam.of(Finish) == [Finish(completed=True)]


def test_exam_mode_does_not_wait_for_a_slow_judge() -> None:
    exam = Exam("exam")
    exam.hear("I would give aspirin.")
    assert exam.tick(1.0) == []
    exam.tick(3.0)
    assert exam.state.number == 2 and exam.state.pending
    exam.mark("correct")
    assert exam.state.number == 2 and exam.state.score == 10.0 and exam.kinds() == []


def test_practice_goes_on_when_the_judge_is_dead_and_takes_the_mark_when_it_comes() -> None:
    exam = Exam()
    exam.hear("I would give aspirin.")
    exam.tick(9.0)
    assert exam.kinds()[0] == "apology" and exam.state.number == 2
    exam.mark("partial")
    assert exam.of(SaveMark)[0].number == 1 and exam.state.number == 2 and exam.state.phase == "question"


def test_the_closing_waits_for_marks_that_are_out_but_not_for_ever() -> None:
    for late in (True, False):
        exam = Exam("exam")
        for _ in range(11):
            exam.hear("I would give aspirin.", "correct")
        exam.hear("The last answer.")
        exam.tick(4.0)
        assert exam.state.phase == "closing" and not exam.of(Finish)
        if late:
            exam.mark("correct")
            assert "120 of 120" in exam.text()
        else:
            exam.tick(50.0)
            assert "One could not be marked yet" in exam.text()
        assert exam.of(Finish) == [Finish(completed=True)] and exam.state.phase == "done"


def test_a_mark_beyond_the_scale_is_brought_into_it() -> None:
    from tests.small_bank import evaluation
    from workbench.exam.model import Judged

    exam = Exam()
    exam.hear("Aspirin.")
    exam.happen(Judged(evaluation(exam.waiting[0].question_id, "correct", 99.0), 6.0))
    assert exam.state.score == 10.0


# ---- probes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["practice", "exam"])
def test_a_partial_answer_is_probed_once_for_the_heaviest_missing_point_and_marked_again(mode: str) -> None:
    exam = Exam(mode)  # type: ignore[arg-type]
    exam.hear("An ECG.", "partial")
    assert exam.state.phase == "probe" and exam.kinds()[-1] == "probe"
    assert exam.lines()[-1].text == "Which medicine comes first?"
    effects = exam.hear("Aspirin then.")
    assert effects[0].probe and effects[1].answer == "An ECG. Aspirin then."
    exam.mark("partial")
    assert exam.state.number == 2 and exam.of(SaveMark)[0].number == 1


@pytest.mark.parametrize("verdict", ["correct", "incorrect"])
def test_only_partial_answers_are_probed(verdict: str) -> None:
    exam = Exam()
    exam.hear("Something.", verdict)  # type: ignore[arg-type]
    assert exam.state.number == 2


def test_a_probe_does_not_hold_what_it_asks_for() -> None:
    exam = Exam()
    exam.hear("An ECG.", "partial")
    wording = exam.lines()[-1].wording
    assert wording is not None and "aspirin" in wording.forbidden and wording.may_ask
    assert "ecg" not in wording.forbidden, "the candidate's own words may be said"


def test_i_do_not_know_to_a_probe_keeps_the_mark_of_the_first_answer() -> None:
    exam = Exam()
    exam.hear("An ECG.", "partial")
    exam.hear("I don't know.")
    assert exam.state.number == 2 and exam.state.score == 4.0


def test_a_repetition_of_a_probe_uses_the_words_in_which_it_was_heard() -> None:
    exam = Exam()
    exam.hear("An ECG.", "partial")
    exam.happen(Spoken("And which medicine comes first, please?", 6.0, "probe"))
    exam.hear("Could you repeat that?")
    assert exam.lines()[-1].text == "And which medicine comes first, please?"


def test_there_is_no_probe_when_the_time_is_nearly_up() -> None:
    exam = Exam(question_time_s=60.0)
    exam.tick(5.0)
    exam.hear("An ECG.", "partial", after_s=50.0)
    assert exam.state.number == 2


# ---- requests ----------------------------------------------------------------------------------------------------


def test_a_repetition_is_verbatim_and_the_question_stays_open() -> None:
    exam = Exam()
    stem = exam.of(ShowQuestion)[0].stem
    exam.hear("Sorry, can you repeat the question?")
    assert exam.lines()[-1].text == stem and exam.lines()[-1].wording is None
    assert exam.state.is_question_open and exam.state.number == 1


def test_a_rephrasing_is_worded_by_the_model_with_the_stem_as_fallback() -> None:
    exam = Exam()
    stem = exam.of(ShowQuestion)[0].stem
    exam.hear("I don't understand the question.")
    assert exam.kinds() == ["acknowledge", "rephrase"], "a word at once, while the model words the rest"
    line = exam.lines()[-1]
    assert line.kind == "rephrase" and line.wording is not None and stem in line.text
    assert {"aspirin", "senior"} <= set(line.wording.forbidden)


@pytest.mark.parametrize("text", ["I don't know.", "Skip this one."])
def test_no_answer_gets_no_points_and_needs_no_judge(text: str) -> None:
    exam = Exam()
    exam.hear(text)
    assert not exam.of(Judge) and exam.of(SaveAnswer)[0].skipped and exam.of(SaveMark)[0].evaluation.points == 0
    assert exam.state.number == 2 and "A full answer" in exam.text()


def test_a_moment_to_think_is_granted_and_what_was_said_before_is_kept() -> None:
    exam = Exam(extra_time=2.0)
    exam.hear("Aspirin, and, um, let me think.")
    assert exam.of(GrantTime) == [GrantTime(60.0)] and exam.kinds() == ["moment"]
    assert exam.silent(50.0) == []
    effects = exam.hear("Call the senior.")
    assert effects[1].answer == "Aspirin, Call the senior."


def test_going_back_is_refused_politely_and_the_question_asked_again() -> None:
    exam = Exam()
    exam.hear("Aspirin.", "correct")
    exam.hear("Can we go back to the previous question?")
    assert exam.kinds() == ["refuse", "repeat"] and exam.state.number == 2


def test_a_pause_stops_the_clock_and_resuming_asks_the_question_again() -> None:
    exam = Exam()
    exam.hear("Can we pause?")
    assert exam.of(SetPaused) == [SetPaused(True)] and exam.state.phase == "paused"
    exam.hear("I was saying to my neighbour that it rains.")
    assert exam.kinds() == ["reprompt"]
    assert exam.hear("And that it is cold.") == []
    exam.hear("Okay, I'm back.")
    assert exam.of(SetPaused) == [SetPaused(False)] and exam.kinds() == ["resume", "repeat"]


def test_a_pause_while_the_answer_is_judged_goes_on_with_the_feedback() -> None:
    exam = Exam()
    exam.hear("Aspirin.")
    exam.press("pause")
    exam.mark("correct")
    assert exam.state.phase == "paused" and exam.state.number == 1
    exam.press("resume")
    assert exam.state.number == 2 and exam.state.score == 10.0


def test_stopping_is_confirmed_and_can_be_taken_back() -> None:
    exam = Exam()
    exam.hear("I want to stop.")
    assert exam.state.phase == "confirm_stop" and exam.kinds() == ["confirm"]
    exam.hear("No, sorry.")
    assert exam.state.phase == "question" and exam.kinds()[-1] == "repeat"
    exam.press("stop")
    exam.hear("Yes.")
    assert exam.state.phase == "done" and exam.of(Finish) == [Finish(completed=False)]


def test_an_early_end_keeps_the_marks_and_the_answer_that_was_begun() -> None:
    exam = Exam()
    exam.hear("Aspirin.", "correct")
    exam.hear("Oxygen first. Give me a second.")
    exam.press("stop")
    exam.press("confirm")
    assert exam.of(SaveAnswer)[0].text == "Oxygen first." and exam.state.phase == "closing"
    exam.mark("partial")
    assert exam.state.phase == "done" and exam.state.score == 14.0 and exam.of(Finish) == [Finish(completed=False)]


@pytest.mark.parametrize("remark", ["What's the answer?", "Am I doing well?", "Are you a robot?", "I am so nervous."])
def test_a_remark_off_the_script_gives_nothing_away_and_the_question_stays_open(remark: str) -> None:
    exam = Exam()
    exam.hear(remark)
    (line,) = exam.lines()
    assert line.kind == "off_script" and line.wording is not None and not line.wording.may_ask
    assert exam.state.is_question_open and exam.state.number == 1 and not exam.of(Judge)


def test_a_question_about_the_case_is_not_answered_but_counts_if_it_was_the_answer() -> None:
    exam = Exam()
    exam.hear("Is he taking any medicine?")
    assert exam.kinds() == ["off_script"]
    effects = exam.hear("I would ask for that.")
    assert effects[1].answer == "Is he taking any medicine? I would ask for that."


def test_an_empty_turn_is_asked_for_again() -> None:
    exam = Exam()
    exam.hear("")
    assert exam.kinds() == ["reprompt", "repeat"] and exam.state.number == 1


def test_buttons_do_what_the_words_do() -> None:
    by_voice, by_button = Exam(), Exam()
    for words, name in (
        ("repeat", "repeat"),
        ("let me think", "moment"),
        ("I don't know", "dont_know"),
        ("skip", "skip"),
    ):
        by_voice.hear(words, after_s=1.0)
        by_button.press(name)  # type: ignore[arg-type]
        assert by_voice.kinds() == by_button.kinds()
    assert by_voice.state.number == by_button.state.number == 3


def test_more_words_while_the_answer_is_judged_are_judged_with_it() -> None:
    exam = Exam()
    exam.hear("An ECG.")
    effects = exam.hear("And aspirin, of course.")
    assert effects[1].answer == "An ECG. And aspirin, of course."


# ---- time --------------------------------------------------------------------------------------------------------


def test_the_clock_of_a_question_starts_when_the_candidate_has_the_floor() -> None:
    exam = Exam(question_time_s=100.0, extra_time=1.5)
    exam.tick(40.0)
    assert exam.state.deadline_s == pytest.approx(190.0)


def test_a_warning_is_spoken_once_before_the_time_is_up() -> None:
    exam = Exam(question_time_s=100.0, warning_before_s=30.0)
    exam.tick(0.0)
    assert exam.tick(69.0) == []
    exam.tick(2.0)
    assert exam.kinds() == ["warning"] and "30 seconds" in exam.text()
    assert exam.tick(1.0) == []


def test_when_the_time_is_up_what_was_said_is_judged_a_cut_turn_included() -> None:
    exam = Exam(question_time_s=60.0)
    exam.tick(0.0)
    effects = exam.tick(61.0, "I would give aspirin and")
    assert effects[0].text == "I would give aspirin and" and isinstance(effects[1], Judge)
    exam.mark("partial")
    assert exam.kinds()[0] == "time_up" and exam.state.number == 2, "no probe after the time"


def test_when_the_time_is_up_without_a_word_the_next_question_comes() -> None:
    exam = Exam(question_time_s=60.0, warning_before_s=0.0)
    exam.tick(0.0)
    exam.tick(61.0)
    assert exam.state.number == 2 and exam.of(SaveMark)[0].evaluation.points == 0 and exam.kinds()[0] == "time_up"


@pytest.mark.parametrize("restarts", [False, True])
def test_silence_is_met_with_patience_then_help_then_the_next_question(restarts: bool) -> None:
    """The caller may count the silence on, or anew after each reprompt."""
    exam = Exam()
    assert exam.silent(8.0) == []
    exam.silent(11.0, after_s=3.0)
    assert exam.kinds() == ["reprompt"]
    exam.silent(2.0 if restarts else 13.0, after_s=2.0)
    assert exam.kinds() == []
    exam.silent(15.0 if restarts else 26.0, after_s=13.0)
    assert "repeat or rephrase" in exam.text()
    exam.silent(35.0 if restarts else 61.0, after_s=35.0)
    assert exam.state.number == 2 and exam.of(SaveAnswer)[0].skipped


def test_an_accommodation_stretches_the_silence() -> None:
    exam = Exam(extra_time=2.0)
    assert exam.silent(19.0) == []
    exam.silent(21.0, after_s=2.0)
    assert exam.kinds() == ["reprompt"]


def test_when_nobody_is_there_the_exam_pauses_instead_of_running_out() -> None:
    exam = Exam(question_time_s=600.0)
    for _ in range(200):
        exam.silent(60.0, after_s=10.0)
        if exam.state.phase == "paused":
            break
    assert exam.state.phase == "paused" and exam.state.number == 3


# ---- coming back -------------------------------------------------------------------------------------------------


def test_a_killed_server_goes_on_at_the_same_question_with_the_same_marks() -> None:
    exam = Exam()
    for _ in range(6):
        exam.hear("Aspirin.", "correct")
    saved = exam.state.to_json()
    exam.state = ExamState.from_json(saved)
    exam.happen(Returned(exam.now_s + 500.0))
    assert exam.state.number == 7 and exam.state.score == 60.0
    assert exam.kinds() == ["resume", "repeat"] and exam.of(ShowQuestion)[0].number == 7


def test_time_away_is_not_the_candidates() -> None:
    exam = Exam(question_time_s=100.0)
    exam.tick(10.0)
    left = (exam.state.deadline_s or 0) - exam.now_s
    exam.happen(Returned(exam.now_s + 300.0))
    assert (exam.state.deadline_s or 0) - (exam.now_s + 300.0) >= left


def test_a_mark_that_was_out_when_the_server_died_is_asked_for_again() -> None:
    exam = Exam()
    exam.hear("Aspirin.")
    exam.waiting.clear()
    exam.happen(Returned(100.0))
    assert exam.of(Judge)[0].answer == "Aspirin."
    exam.mark("correct")
    assert exam.state.number == 2 and exam.state.score == 10.0


def test_a_state_of_another_version_is_refused() -> None:
    text = Exam().state.to_json()
    with pytest.raises(ValueError, match="version 99"):
        ExamState.from_json(text.replace('"version":1', '"version":99'))
    with pytest.raises(ValueError, match="no JSON"):
        ExamState.from_json("{")
    with pytest.raises(ValueError, match="unknown fields"):
        ExamState.from_json(text.replace('"phase"', '"phrase"'))


# ---- the card ----------------------------------------------------------------------------------------------------


def test_the_card_says_what_the_turn_taking_needs() -> None:
    exam = Exam()
    card = exam.state.card()
    assert (card.number, card.total, card.expects, card.is_question_open) == (1, 12, "answer", True)
    assert card.key_terms == ("aspirin", "electrocardiogram") and card.deadline_s is not None
    exam.press("stop")
    assert exam.state.card().expects == "consent"


# ---- talk --------------------------------------------------------------------------------------------------------


def test_in_talk_every_word_comes_from_the_model_and_nothing_is_marked() -> None:
    exam = Exam("talk", known=False)
    assert exam.kinds() == ["talk"]
    for text in ("Hello there", "can you repeat the question", "stop", "I don't know"):
        exam.hear(text)
        (line,) = exam.lines()
        assert line.kind == "talk" and line.wording is not None and line.wording.purpose == "talk"
    exam.press("stop")
    assert exam.state.phase == "done" and exam.state.number == 0


def test_a_pause_of_a_talk_ends_by_the_word_or_the_button_and_by_nothing_else() -> None:
    exam = Exam("talk", known=False)
    for ends in (lambda: exam.hear("okay, resume please"), lambda: exam.press("resume")):
        exam.press("pause")
        exam.hear("somebody else is talking here")
        assert exam.state.phase == "paused" and not exam.lines()
        ends()
        assert exam.state.phase == "question" and exam.kinds() == ["resume"]


def test_the_history_of_a_talk_holds_what_both_said_and_stays_short() -> None:
    exam = Exam("talk", known=False)
    for i in range(40):
        exam.happen(Heard(f"sentence {i} " + "word " * 200, float(i)))
        exam.happen(Spoken(f"reply {i}", float(i)))
    assert 6 <= len(exam.state.history) <= 12 and exam.state.history[-1] == ("assistant", "reply 39")
    assert all(len(text) <= 800 for _, text in exam.state.history)


def test_beginning_twice_is_coming_back() -> None:
    exam = Exam()
    exam.happen(Begin(3.0))
    assert exam.kinds() == ["resume", "repeat"] and exam.state.number == 1
