"""The cheap model of the recogniser's slips: what it learns from pairs, what it makes of a text, how real it is."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from finetune.confusions import Confusions, class_of, fit, runs
from finetune.heard import HEARD, pairs
from finetune.word_errors import word_error_rate

PAIRS = [
    ("give amiodarone to the man", "give amio drone to the man"),
    ("give aspirin to the man", "give aspirin the man"),
    ("give aspirin to the man", "give aspirin to the man"),
    ("call the cardiologist", "well call the cardiologist"),
] * 5


@pytest.fixture(scope="module")
def fitted() -> Confusions:
    return fit(PAIRS)


def test_a_word_heard_as_two_is_one_slip_of_that_word(fitted: Confusions):
    assert fitted.words["amiodarone"].heard_as == {"amio drone": 5}
    assert (fitted.words["to"].n, fitted.words["to"].dropped) == (15, 5)
    assert fitted.added == {"well": 5}
    assert fitted.wer == pytest.approx(20 / 90)


def test_words_in_a_stretch_of_slips_are_paired_by_their_letters():
    assert runs("the left anterior descending artery".split(), "the left anti air descend in artery".split()) == [
        (["the"], ["the"]), (["left"], ["left"]), (["anterior", "descending"], ["anti", "air", "descend", "in"]),
        (["artery"], ["artery"]),
    ]  # fmt: skip
    model = fit([("left anterior descending artery", "left anti air descend in artery")])
    assert model.words["anterior"].heard_as == {"anti air": 1}
    assert model.words["descending"].heard_as == {"descend in": 1}


def test_the_same_seed_makes_the_same_slips_and_the_rate_says_how_many(fitted: Confusions):
    text = "Give aspirin, then amiodarone to the man."
    assert fitted.augment(text, Random(3)) == fitted.augment(text, Random(3))
    assert fitted.augment(text, Random(3), 0.0) == text
    made = [fitted.augment(text, Random(seed)) for seed in range(200)]
    assert any("amio drone" in one for one in made)
    rates = [
        np.mean([word_error_rate(text, fitted.augment(text, Random(s), r)) for s in range(200)]) for r in (0.1, 0.3)
    ]
    assert 0.03 < rates[0] < rates[1]


def test_punctuation_stays_where_its_word_stays(fitted: Confusions):
    for seed in range(30):
        made = fitted.augment("Give aspirin to the man. Call him!", Random(seed))
        assert made.endswith("!") and made.count(".") == 1


def test_a_word_never_seen_is_heard_as_one_that_sounds_alike_or_stays():
    seen = [(f"{word} now", f"{word} now") for word in ("clopidogrel", "heparin", "aspirin", "insulin")]
    model = fit([*seen, ("warfarin now", "war fair in now"), ("statin now", "stat in now")])
    heard = {model.augment("heparan", Random(seed), 0.9) for seed in range(300)}
    assert "heparin" in heard and "insulin" not in heard and "clopidogrel" not in heard


def test_words_have_the_class_of_their_sounds():
    assert class_of("the") == "small" and class_of("300") == "figure"
    assert class_of("amiodarone") != class_of("gout")


def test_a_model_comes_back_from_its_file_as_it_was(fitted: Confusions, tmp_path: Path):
    path = tmp_path / "new" / "confusions.json"
    fitted.save(path)
    back = Confusions.load(path)
    assert back.augment("give aspirin to the man", Random(1)) == fitted.augment("give aspirin to the man", Random(1))
    path.write_text("{}")
    with pytest.raises(ValueError, match="no model of confusions"):
        Confusions.load(path)


def test_texts_without_a_slip_and_rates_that_are_none_are_refused(fitted: Confusions):
    with pytest.raises(ValueError, match="1 pairs without a word, or without a slip"):
        fit([("give aspirin", "give aspirin")])
    with pytest.raises(ValueError, match="from 0 to 1, or None .*; got 3"):
        fitted.augment("give aspirin", Random(0), 3)


def test_the_committed_model_makes_as_many_slips_as_were_heard_in_answers_it_was_not_fitted_on():
    model = Confusions.load(HEARD.with_name("confusions.json"))
    rows = pairs(HEARD, "held-out")[:120]
    heard = np.mean([row.hearing.wer for row in rows])
    made = np.mean(
        [word_error_rate(row.typed.text, model.augment(row.typed.text, Random(n))) for n, row in enumerate(rows)]
    )
    assert made == pytest.approx(heard, abs=0.04)
    assert model.wer == pytest.approx(heard, abs=0.04)
