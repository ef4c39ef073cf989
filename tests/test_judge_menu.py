"""Judges an educator may try an answer with: those at hand, and those that were promoted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_bank import BANK
from workbench.engines.base import EngineError
from workbench.exam.model import Judge as Ask
from workbench.judging.menu import IN_SERVICE, MOST_KEPT, JudgeMenu
from workbench.judging.registry import judge_by_key_points
from workbench.settings import Settings

QUESTION = BANK.area("cardiology").questions[0]
ASK = Ask(QUESTION.id, QUESTION.model_answer)


@pytest.fixture
def menu(settings: Settings) -> JudgeMenu:
    return JudgeMenu(judge_by_key_points, settings.model_copy(update={"judge": "hybrid"}))


def test_the_judge_in_service_comes_first_and_no_store_is_made_to_look_into(menu: JudgeMenu, tmp_path: Path) -> None:
    assert menu.offered() == [
        ("in service (hybrid)", IN_SERVICE),
        ("keyword", "keyword"),
        ("embedding", "embedding"),
        ("panel", "panel"),
    ]
    assert not (tmp_path / "var").exists()


async def test_an_answer_is_marked_by_the_judge_that_was_chosen(menu: JudgeMenu) -> None:
    in_service = await menu.judge(IN_SERVICE, BANK, ASK)
    assert in_service == await judge_by_key_points(BANK, ASK)
    chosen = await menu.judge("keyword", BANK, ASK)
    assert (chosen.verdict, chosen.judge) == ("correct", in_service.judge)


async def test_only_what_is_offered_is_loaded(menu: JudgeMenu) -> None:
    for name in ("adapter:/etc", "models:/viva-examiner/1", "llm", "nobody"):
        with pytest.raises(EngineError, match="is offered here; choose one of the list"):
            await menu.judge(name, BANK, ASK)


async def test_few_judges_are_kept_in_memory(menu: JudgeMenu, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make(name: str) -> object:
        made.append(name)
        return judge_by_key_points

    monkeypatch.setattr(menu, "_make", make)
    names = [f"judge-{i}" for i in range(MOST_KEPT + 1)]
    for name in [*names, *names[1:], names[0]]:
        await menu.judge(name, BANK, ASK)
    assert made == [*names, names[0]]


def test_the_champion_is_offered_by_its_version_and_another_one_after_it(tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="MLflow comes with the extra `finetune`")
    from finetune.registry import MODEL
    from finetune.tracking import client_of
    from tests.mlflow_store import settings_with_store

    settings = settings_with_store(tmp_path)
    menu = JudgeMenu(judge_by_key_points, settings)
    assert not [title for title, _ in menu.offered() if title.startswith("models:")]
    client = client_of(settings)
    client.create_registered_model(MODEL)
    for _ in range(2):
        client.create_model_version(MODEL, str(tmp_path))
    client.set_registered_model_alias(MODEL, "champion", "1")
    assert ("models:/viva-examiner@champion (version 1)", "models:/viva-examiner/1") in menu.offered()
    client.set_registered_model_alias(MODEL, "champion", "2")
    client.set_registered_model_alias(MODEL, "challenger", "1")
    assert menu.offered()[1:3] == [
        ("models:/viva-examiner@champion (version 2)", "models:/viva-examiner/2"),
        ("models:/viva-examiner@challenger (version 1)", "models:/viva-examiner/1"),
    ]
