"""Scores reach a learning platform as LTI Advantage says, once, and only when they may."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.delivery_helpers import BANKS, configured, sat
from tests.lti_platform import CLIENT_ID, SCOPE
from tests.lti_platform import Platform as LearningPlatform
from tests.store_helpers import mark, store_at
from workbench.delivery import lti
from workbench.delivery.errors import DeliveryError, NotConfigured, Transient
from workbench.delivery.worker import outbox_of
from workbench.settings import Settings
from workbench.store.repository import Store

NOON = datetime(2026, 11, 26, 12, 0, 0, 250_000, tzinfo=UTC)
SCORE = lti.Score("u-17", 73.5, 120, NOON)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "key.pem"
    path.write_bytes(lti.new_key())
    return path


@pytest.fixture
def lms(key_file: Path, tmp_path: Path) -> Iterator[LearningPlatform]:
    platform = LearningPlatform(lti.public_keys(configured(tmp_path, lti_key_file=key_file)))
    yield platform
    platform.close()


@pytest.fixture
def settings(lms: LearningPlatform, key_file: Path, tmp_path: Path) -> Settings:
    return configured(
        tmp_path,
        lti_token_url=f"{lms.url}/token",
        lti_client_id=CLIENT_ID,
        lti_key_file=key_file,
        lti_line_items_url=lms.line_items_url,
    )


class Waits(list):
    """Remembers the pauses instead of making them."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def platform(settings: Settings, waits: Waits) -> Iterator[lti.Platform]:
    with lti.Platform(settings, sleep=waits) as platform:
        yield platform


def column(platform: lti.Platform) -> lti.LineItem:
    return platform.line_item("Viva", 120, resource_id="viva-medical-cardiology")


def test_a_score_arrives_with_every_field_the_specification_requires(platform, lms) -> None:
    item = column(platform)
    platform.publish(item.id, SCORE)
    assert lms.scores[item.id, "u-17"] == {
        "userId": "u-17",
        "scoreGiven": 73.5,
        "scoreMaximum": 120,
        "timestamp": "2026-11-26T12:00:00.250Z",
        "activityProgress": "Completed",
        "gradingProgress": "FullyGraded",
    }
    assert ("POST", "/courses/1/line_items/1/lineitem/scores?type_id=7") in lms.requests


def test_one_token_serves_many_requests_and_is_renewed_before_it_ends(settings, lms) -> None:
    clock = [1_000_000.0]
    now = datetime.now(UTC).timestamp()
    with lti.Platform(settings, now=lambda: now + clock[0] - 1_000_000.0) as platform:
        platform.line_items()
        platform.line_items()
        assert len(lms.tokens) == 1
        clock[0] += 3580
        assert platform._token is not None
        with pytest.raises(DeliveryError, match="invalid_client"):
            # the platform's clock did not move: an assertion from the future is refused, which shows it was asked anew
            platform.line_items()


def test_asking_for_the_same_column_twice_makes_one(platform, lms) -> None:
    assert column(platform) == column(platform)
    assert len(lms.items) == 1 and lms.items[0]["scoreMaximum"] == 120


def test_line_items_are_read_page_by_page(platform, lms) -> None:
    made = [platform.create_line_item(f"Viva {n}", 120, resource_id=f"r{n}") for n in range(5)]
    assert platform.line_items() == made


def test_a_busy_platform_is_asked_again_after_the_time_it_names(platform, lms, waits) -> None:
    item = column(platform)
    lms.trouble = [(503, {}), (429, {"Retry-After": "7"}), (500, {"Retry-After": "999999"})]
    platform.publish(item.id, SCORE)
    assert len(waits) == 3 and waits[1] == 7 and waits[2] == 60
    assert len(lms.posted) == 1


def test_a_retry_after_may_be_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=30)
    waited = lti._retry_after_s(later.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    assert waited is not None and 25 < waited <= 30
    assert lti._retry_after_s("soon") is None and lti._retry_after_s("-3") == 0


def test_a_platform_that_stays_busy_is_given_up(platform, lms, waits) -> None:
    item = column(platform)
    lms.trouble = [(503, {})] * 10
    with pytest.raises(Transient, match="503"):
        platform.publish(item.id, SCORE)
    assert len(waits) == 3 and len(lms.trouble) == 6


@pytest.mark.parametrize("status", [400, 401, 403, 404, 415, 422])
def test_a_refusal_is_never_tried_again(platform, lms, waits, status: int) -> None:
    item = column(platform)
    n_requests = len(lms.requests)
    lms.trouble = [(status, {})]
    with pytest.raises(DeliveryError, match=str(status)):
        platform.publish(item.id, SCORE)
    assert len(lms.requests) == n_requests + 1 and waits == []


def test_an_older_score_does_not_replace_a_newer_one(platform, lms) -> None:
    item = column(platform)
    platform.publish(item.id, SCORE)
    with pytest.raises(DeliveryError, match="newer score"):
        platform.publish(item.id, lti.Score("u-17", 1, 120, NOON - timedelta(hours=1)))
    assert lms.scores[item.id, "u-17"]["scoreGiven"] == 73.5


def test_a_tool_that_may_not_publish_is_told_which_scope_it_lacks(platform, lms) -> None:
    lms.allowed = {SCOPE + "lineitem"}
    with pytest.raises(DeliveryError, match="scope/score"):
        platform.line_items()


def test_another_tools_key_is_refused_by_the_word_of_the_specification(settings, tmp_path: Path) -> None:
    stranger = tmp_path / "other.pem"
    stranger.write_bytes(lti.new_key())
    changed = settings.model_copy(update={"lti_key_file": stranger})
    with pytest.raises(DeliveryError, match="400, invalid_client"):
        lti.send_test(changed)


def test_a_file_that_is_no_key_is_named_and_not_shown(settings, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("-----BEGIN hunter2-----")
    changed = settings.model_copy(update={"lti_key_file": wrong})
    for call in (lti.send_test, lti.public_keys):
        with pytest.raises(DeliveryError, match="VIVA_LTI_KEY_FILE") as caught:
            call(changed)
        assert "hunter2" not in str(caught.value)


def test_a_token_is_sent_to_no_other_host(platform, lms) -> None:
    with pytest.raises(DeliveryError, match="another host"):
        platform.publish("http://evil.example/line_items/1", SCORE)


@pytest.mark.parametrize(
    "score",
    [
        lti.Score("", 1, 120, NOON),
        lti.Score("u", -1, 120, NOON),
        lti.Score("u", 1, 0, NOON),
        lti.Score("u", 1, 120, NOON.replace(tzinfo=None)),
    ],
)
def test_a_score_the_specification_forbids_never_leaves(score: lti.Score) -> None:
    with pytest.raises(DeliveryError):
        score.body()


def test_the_test_button_says_what_the_platform_shows(settings, lms) -> None:
    assert lti.send_test(settings).endswith("accepts this tool and shows it 0 line items")


def test_without_settings_it_is_off_and_says_which_turn_it_on(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="VIVA_LTI_TOKEN_URL"):
        lti.send_test(configured(tmp_path))


# ---- a session's score ----


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_at(tmp_path)
    yield store
    store.close()


def test_a_sessions_score_is_published_once_and_again_when_its_mark_changes(store, settings, platform, lms) -> None:
    session_id, outbox = sat(store), outbox_of(settings)
    assert lti.publish_session(store, platform, outbox, session_id) == "sent"
    assert lti.publish_session(store, platform, outbox, session_id) == "sent before"
    (score,) = lms.scores.values()
    assert (score["userId"], score["scoreGiven"]) == ("u-17", 7.5) and len(lms.posted) == 1
    store.correct_mark(session_id, 1, mark(9.0, next(iter(BANKS["medical"].areas[0].questions)).id), rater="tutor")
    assert lti.publish_session(store, platform, outbox, session_id) == "sent"
    assert [s["scoreGiven"] for s in lms.posted] == [7.5, 9.0]


def test_what_a_crash_left_is_published_again_without_harm(store, settings, platform, lms) -> None:
    session_id, outbox = sat(store), outbox_of(settings)
    lti.publish_session(store, platform, outbox, session_id)
    (row,) = outbox.rows("lti")
    outbox.failed(row.key, "as if it had died")
    assert lti.publish_session(store, platform, outbox, session_id) == "sent"
    assert lms.posted[0] == lms.posted[1] and len(lms.scores) == 1


def test_held_results_are_not_published(store, settings, platform, lms) -> None:
    session_id = sat(store, published=False)
    with pytest.raises(DeliveryError, match="publish them first"):
        lti.publish_session(store, platform, outbox_of(settings), session_id)
    assert lms.posted == []


def test_no_log_line_holds_token_key_or_user(store, settings, platform, lms, caplog) -> None:
    caplog.set_level(logging.INFO)
    lti.publish_session(store, platform, outbox_of(settings), sat(store))
    lines = "\n".join(record.getMessage() for record in caplog.records)
    assert not any(secret in lines for secret in (*lms.tokens, "u-17", "PRIVATE KEY"))
