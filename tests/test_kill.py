"""kill -9 in the seventh question: the restarted server goes on with it, six marks and the recordings intact."""

from __future__ import annotations

import asyncio
import sqlite3

import numpy as np
import pytest
import soundfile

from tests.live_server import ScriptedProcess, need_weights
from workbench.settings import Settings
from workbench.simulate.answers import AnswerBook
from workbench.simulate.client import Disconnected, VivaClient
from workbench.simulate.local_server import LocalServer
from workbench.simulate.sound import room_tone

SPEED = 40.0


@pytest.fixture(scope="module")
def book():
    return AnswerBook(Settings(_env_file=None))


def client_of(server: LocalServer, **options) -> VivaClient:
    return VivaClient(server.realtime, options, background=room_tone(0, level_dbfs=-50.0), speed=SPEED)


async def answer(client: VivaClient, text: str) -> None:
    n_before = len(client.responses)
    await client.type(text)
    assert await client.until(lambda: client.over() or len(client.responses) > n_before, 60)


async def answer_until(client: VivaClient, book: AnswerBook, number: int) -> None:
    """Answers by keyboard until question `number` waits for its answer."""
    while True:
        assert await client.until(lambda: client.over() or client.has_floor(), 120)
        if client.over() or client.state["number"] >= number:
            return
        await answer(client, book.model_answer(client.question["question_id"]))


async def sit_kill_and_go_on(make_server, book: AnswerBook, data_dir) -> None:
    first = make_server(data_dir)
    first.start()
    client = client_of(first, area="cardiology", candidate="Kit", consent=True, record=True, seed=5, mode="practice")
    try:
        async with client:
            await answer_until(client, book, 7)
            await client.until(lambda: len(client.verdicts) >= 6, 30)
            token, session_id = client.state["resume_token"], client.state["session_id"]
            questions, verdicts = list(client.questions), dict(client.verdicts)
            await asyncio.sleep(1.0)  # some sound of the seventh question's silence, too
            first.kill()
            with pytest.raises(Disconnected):
                await client.until(client.over, 30)
    finally:
        first.stop()
    assert sorted(verdicts) == [1, 2, 3, 4, 5, 6]

    second = make_server(data_dir)
    second.start()
    try:
        async with client_of(second, resume=token) as back:
            assert await back.until(back.has_floor, 120)
            assert back.state["session_id"] == session_id
            assert back.state["number"] == 7
            assert back.question["question_id"] == questions[6]["question_id"]
            assert back.question["stem"] == questions[6]["stem"]
            marks = {number: event["points"] for number, event in back.verdicts.items()}
            assert marks == {number: event["points"] for number, event in verdicts.items()}
            await answer_until(back, book, 13)
            assert await back.until(back.over, 120)
            assert back.report["completed"]
            assert sorted(back.verdicts) == list(range(1, 13))
    finally:
        second.stop()

    files = [path for path in data_dir.rglob("*") if path.suffix in (".wav", ".flac")]
    assert files, "no recording was kept"
    for path in files:
        sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        assert sound.shape[1] == 2, f"{path.name} has {sound.shape[1]} channels"
        assert len(sound) > rate_hz / 2
        assert np.abs(sound[:, 0]).max() > 0, "the candidate's channel is empty"
    with sqlite3.connect(
        next(data_dir.rglob("*.db")) if any(data_dir.rglob("*.db")) else _sqlite(data_dir)
    ) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)


def _sqlite(data_dir):
    return next(path for path in data_dir.rglob("*.sqlite*") if path.suffix in (".sqlite", ".sqlite3"))


@pytest.mark.realtime
@pytest.mark.slow
async def test_a_killed_server_goes_on_with_question_seven_and_six_marks(tmp_path, book):
    await sit_kill_and_go_on(ScriptedProcess, book, tmp_path)


@pytest.mark.realtime
@pytest.mark.slow
@pytest.mark.weights
async def test_the_real_server_does_so_too(tmp_path, book):
    need_weights()
    await sit_kill_and_go_on(LocalServer, book, tmp_path)
