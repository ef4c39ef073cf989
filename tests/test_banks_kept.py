"""Banks educators write: drafts nobody overwrites unseen, versions that never change, and what a server offers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.small_bank import BANK
from tests.store_helpers import store_at
from workbench.exam.bank import BankError
from workbench.store.banks_kept import LiveBanks, findings_of, read_source
from workbench.store.errors import NotFound, StoreError
from workbench.store.repository import Store


def source(version: str = "1.0.0", discipline: str = "medical", area: str = "cardiology", title: str = "Mine") -> str:
    """A whole bank as YAML: one area of the small bank, with the probes and sources a file needs."""
    scenarios = [
        {
            "id": f"{area}-{scenario.id}",
            "title": scenario.title,
            "text": scenario.text,
            "questions": [
                {
                    "id": f"{area}-{question.id}",
                    "stem": question.stem,
                    "model_answer": question.model_answer,
                    "difficulty": question.difficulty,
                    "cognitive_level": question.cognitive_level,
                    "sources": list(question.sources),
                    "key_points": [
                        {
                            "id": point.id,
                            "text": point.text,
                            "weight": point.weight,
                            "accepted": list(point.accepted),
                            "probe": point.probe,
                        }
                        for point in question.key_points
                    ],
                }
                for question in scenario.questions
            ],
        }
        for scenario in BANK.areas[0].scenarios
    ]
    card = {"discipline": discipline, "title": title, "version": version, "licence": "CC-BY-4.0"}
    return yaml.safe_dump({**card, "areas": [{"key": area, "title": "An area", "scenarios": scenarios}]})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_at(tmp_path)
    yield store
    store.close()


def test_a_draft_may_be_anything_and_is_a_bank_only_when_it_is_published(store: Store):
    draft = store.create_draft("medical", "Cardiology", "discipline: medical\n", actor="eve")
    assert draft.revision == 1 and findings_of(draft.source)
    with pytest.raises(BankError, match="bank:1: title: is missing"):
        store.publish_draft(draft.id, actor="eve")
    saved = store.save_draft(draft.id, source(), actor="eve", revision=1)
    release = store.publish_draft(saved.id, actor="eve", note="first")
    assert (release.version, release.published_by, release.withdrawn_at) == ("1.0.0", "eve", None)


def test_a_draft_somebody_saved_meanwhile_is_not_overwritten(store: Store):
    draft = store.create_draft("medical", "Cardiology", "a: 1", actor="eve")
    store.save_draft(draft.id, "a: 2", actor="bob", revision=1)
    with pytest.raises(StoreError, match="bob saved this draft meanwhile"):
        store.save_draft(draft.id, "a: 3", actor="eve", revision=1)
    assert store.load_draft(draft.id).source == "a: 2"


def test_a_published_version_never_changes(store: Store):
    first = store.publish_source(source(), actor="eve")
    assert store.publish_source(source(), actor="bob") == first
    with pytest.raises(StoreError, match="a published version never changes"):
        store.publish_source(source(title="Other"), actor="eve")
    draft = store.create_draft("medical", "x", source("1.1.0"), actor="eve")
    store.publish_draft(draft.id, actor="eve")
    store.delete_draft(draft.id, actor="eve")
    with pytest.raises(NotFound):
        store.load_draft(draft.id)
    assert [row.version for row in store.list_releases("medical")] == ["1.1.0", "1.0.0"]
    assert store.list_releases()[1].source == source()


def test_a_server_offers_what_is_published_over_its_files_until_it_is_withdrawn(store: Store):
    now = [0.0]
    offered = LiveBanks({"medical": BANK}, store, every_s=2, clock=lambda: now[0])
    assert offered["medical"] == BANK and list(offered) == ["medical"]
    release = store.publish_source(source("2.0.0"), actor="eve")
    store.publish_source(source(discipline="dental"), actor="eve")
    assert offered["medical"].version == "1.0.0"
    now[0] = 2
    assert offered["medical"].version == "2.0.0" and "dental" in offered and len(offered) == 2
    assert [area.key for area in offered["medical"].areas] == ["cardiology", "respiratory"]
    assert offered["medical"].area("cardiology").title == "An area"
    assert offered["medical"].area("respiratory") == BANK.areas[1]
    store.withdraw_release(release.id, actor="eve")
    offered.refresh()
    assert offered["medical"] == BANK


def test_the_text_read_back_is_the_bank_that_was_written():
    bank = read_source(source())
    assert len(bank.areas[0].questions) == 15 and bank.areas[0].questions[0].key_points[0].probe
    with pytest.raises(BankError, match="not valid YAML"):
        read_source("a: [")
