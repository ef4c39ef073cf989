"""The language model behind a server: streaming, retries, failures, cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.model_servers import ChatServer, serving
from workbench.engines import chat_http
from workbench.engines.base import ChatMessage, EngineError
from workbench.engines.remote import ATTEMPTS, api_root, server_sent
from workbench.settings import Settings

SECRET_WORDS = "the patient confided in me"
CHAT: list[ChatMessage] = [
    {"role": "system", "content": "You are an examiner."},
    {"role": "user", "content": SECRET_WORDS},
]


def engine(address: str, **changes: Any) -> chat_http.HttpChat:
    given = {"llm": "http", "llm_url": f"http://{address}/v1", "llm_model": "viva-examiner", **changes}
    return chat_http.create(Settings(_env_file=None, **given))


async def test_pieces_arrive_in_order_and_the_adapter_is_the_model_name() -> None:
    server = ChatServer()
    async with serving(server.app()) as address:
        chat = engine(address, api_key="s3cret")
        said = [piece async for piece in chat.stream(CHAT, max_tokens=7, temperature=0.5, stop=["\n"])]
        await chat.close()
    assert said == list(server.pieces)
    request = server.seen.requests[0]
    assert request["model"] == "viva-examiner"
    assert (request["max_tokens"], request["temperature"], request["stop"]) == (7, 0.5, ["\n"])
    assert request["messages"] == CHAT and request["stream"] is True
    assert server.seen.headers[0]["authorization"] == "Bearer s3cret"


async def test_the_first_piece_is_yielded_before_the_last_is_made() -> None:
    server = ChatServer(pieces=("one ", "two"), stall_after=1)
    async with serving(server.app()) as address:
        chat = engine(address)
        stream = chat.stream(CHAT)
        assert await anext(stream) == "one "
        await stream.aclose()
        await chat.close()


async def test_without_a_model_name_the_servers_first_model_is_used() -> None:
    server = ChatServer()
    async with serving(server.app()) as address:
        settings = Settings(_env_file=None, llm="http", llm_url=f"http://{address}")
        chat = chat_http.create(settings)
        await chat.warm_up([[{"role": "system", "content": "You are an examiner."}]])
        await chat.close()
    assert server.seen.requests[0]["model"] == "viva-examiner"
    assert server.seen.requests[0]["messages"][0]["content"] == "You are an examiner."


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_failing_server_is_asked_again_before_the_first_piece(status: int) -> None:
    server = ChatServer(failures=[status, status])
    async with serving(server.app()) as address:
        chat = engine(address)
        assert "".join([piece async for piece in chat.stream(CHAT)]) == "Thank you, that is clear."
        await chat.close()
    assert len(server.seen.requests) == 3


async def test_a_server_that_keeps_failing_is_given_up_with_its_address_and_status() -> None:
    server = ChatServer(failures=[500] * 9)
    async with serving(server.app()) as address:
        chat = engine(address)
        with pytest.raises(EngineError, match=rf"http://{address}/v1/chat/completions .*status 500") as caught:
            await anext(chat.stream(CHAT))
        await chat.close()
    assert len(server.seen.requests) == ATTEMPTS
    assert caught.value.retryable


@pytest.mark.parametrize(("status", "hint"), [(401, "VIVA_API_KEY"), (400, "refused the request")])
async def test_a_refusal_is_not_retried_and_says_what_to_do(status: int, hint: str) -> None:
    server = ChatServer(failures=[status] * 9)
    async with serving(server.app()) as address:
        chat = engine(address)
        with pytest.raises(EngineError, match=hint) as caught:
            await anext(chat.stream(CHAT))
        await chat.close()
    assert len(server.seen.requests) == 1
    assert SECRET_WORDS not in str(caught.value), "an error must not carry what a candidate said"


async def test_an_unknown_adapter_lists_the_models_the_server_has() -> None:
    server = ChatServer()
    async with serving(server.app()) as address:
        chat = engine(address, llm_model="viva-examner")
        with pytest.raises(EngineError, match="'viva-examner'.*viva-examiner, base"):
            await anext(chat.stream(CHAT))
        await chat.close()


async def test_a_silent_server_is_given_up_after_the_time_limit() -> None:
    server = ChatServer(stall_after=0)
    async with serving(server.app()) as address:
        chat = engine(address, engine_timeout_s=0.3)
        with pytest.raises(EngineError, match="within 0.3 s") as caught:
            await anext(chat.stream(CHAT))
        await chat.close()
    assert caught.value.retryable


async def test_no_server_at_all_says_which_setting_to_correct() -> None:
    chat = engine("127.0.0.1:9", engine_timeout_s=2)
    with pytest.raises(EngineError, match="start the server or correct VIVA_LLM_URL"):
        await anext(chat.stream(CHAT))
    await chat.close()


@pytest.mark.parametrize("failure", [{"cut_after": 2}, {"error_after": 2}, {"stall_after": 2}])
async def test_a_break_after_the_first_piece_is_raised_at_once_and_not_retried(failure: dict[str, int]) -> None:
    server = ChatServer(**failure)  # type: ignore[arg-type]
    said: list[str] = []
    async with serving(server.app()) as address:
        chat = engine(address, engine_timeout_s=0.5)
        with pytest.raises(EngineError) as caught:
            async for piece in chat.stream(CHAT):
                said.append(piece)
        await chat.close()
    assert said == ["Thank ", "you, "]
    assert len(server.seen.requests) == 1
    assert caught.value.retryable


async def test_closing_the_reply_makes_the_server_stop() -> None:
    server = ChatServer(pieces=("word ",) * 500, pause_s=0.01)
    async with serving(server.app()) as address:
        chat = engine(address)
        stream = chat.stream(CHAT)
        assert await anext(stream) == "word "
        await stream.aclose()
        async with asyncio.timeout(5):
            await server.seen.left.wait()
        await chat.close()
    assert server.seen.sent < 100


async def test_cancelling_the_task_makes_the_server_stop() -> None:
    server = ChatServer(pieces=("word ",) * 500, pause_s=0.01)
    started = asyncio.Event()

    async def listen(chat: chat_http.HttpChat) -> None:
        async for _ in chat.stream(CHAT):
            started.set()

    async with serving(server.app()) as address:
        chat = engine(address)
        task = asyncio.create_task(listen(chat))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await server.seen.left.wait()
        await chat.close()


async def test_one_engine_serves_several_event_loops_one_after_another() -> None:
    server = ChatServer()
    async with serving(server.app()) as address:
        chat = engine(address)

        def elsewhere() -> str:
            async def ask() -> str:
                said = "".join([piece async for piece in chat.stream(CHAT)])
                await chat.close()
                return said

            return asyncio.run(ask())

        assert await asyncio.to_thread(elsewhere) == await asyncio.to_thread(elsewhere)


async def _bytes(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_a_line_separator_inside_a_json_string_does_not_end_the_event() -> None:
    text = 'data: {"a": "one\u2028two"}\r\n\r\ndata: [DONE]\n'.encode()
    assert [event async for event in server_sent(_bytes(text[:14], text[14:]))] == [{"a": "one\u2028two"}]


@pytest.mark.parametrize("given", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/chat/completions"])
def test_an_address_may_be_given_with_or_without_the_endpoint(given: str) -> None:
    assert api_root(given) == "http://h:1/v1"
