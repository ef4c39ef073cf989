"""How likely fixed replies are: the embedded model against its own full forward pass, and a server's two ways."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.model_servers import LabelServer, serving
from workbench.engines import chat_http, label_scoring, smollm2_scorer
from workbench.engines.base import ChatMessage, EngineError
from workbench.engines.label_scoring import check_labels, label_scores, normalised
from workbench.engines.registry import build_engines, create_scorer
from workbench.engines.remote import ATTEMPTS
from workbench.engines.smollm2 import render
from workbench.engines.smollm2_scorer import SmolLM2Scorer
from workbench.exam.judge_prompts import key_point_prompt
from workbench.models import find
from workbench.settings import Settings

SECRET_WORDS = "the patient confided in me"
POINTS = ("Aspirin is given.", "An electrocardiogram is recorded within ten minutes of arrival.", "No nitrates.")
PROMPTS = [key_point_prompt("What would you do first?", point, f"Aspirin, and {SECRET_WORDS}.") for point in POINTS]
CHATS = [prompt.messages for prompt in PROMPTS]
LABELS = PROMPTS[0].labels
SPLIT = ("covered", "contradicted", "not mentioned", "incorrect")
"""Labels of one to three tokens."""


# ---- what can be scored


def test_normalised_scores_are_the_logarithms_of_probabilities() -> None:
    scores = normalised([-700.0, -701.0, -745.0])
    assert sum(math.exp(score) for score in scores) == pytest.approx(1)
    assert scores[0] - scores[1] == pytest.approx(1)


@pytest.mark.parametrize("labels", [("yes",), ("yes", "yes"), ("no", "none"), ("yes", "")])
def test_labels_that_overlap_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="label"):
        check_labels(labels)


# ---- the embedded model


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(_env_file=None)  # type: ignore[call-arg]


@pytest.fixture(scope="module")
def scorer(settings: Settings) -> SmolLM2Scorer:
    return smollm2_scorer.create(settings)


@pytest.fixture(scope="module")
def exact(settings: Settings) -> SmolLM2Scorer:
    return smollm2_scorer.create(settings.model_copy(update={"judge_precision": "float32"}))


@pytest.fixture(scope="module")
def model(settings: Settings) -> tuple[Any, Any]:
    """A float32 generator and a tokenizer of the same weights, apart from the engine."""
    import ctranslate2
    from tokenizers import Tokenizer

    path = find("smollm2", settings.models_dir)
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    return ctranslate2.Generator(str(path), compute_type="float32", intra_threads=1), tokenizer


def by_forward_pass(model: tuple[Any, Any], messages: Any, labels: Any) -> tuple[float, ...]:
    """The same by the plainest way: each label written out behind the prompt, and all positions looked at."""
    generator, tokenizer = model
    prefix, rest = render(messages, tokenizer)
    prompt = prefix + rest
    sums = []
    for label in labels:
        tokens = tokenizer.encode(label).tokens
        logs = np.array(generator.forward_batch([prompt + tokens], return_log_probs=True))[0]
        sums.append(sum(logs[len(prompt) + n - 1, tokenizer.token_to_id(t)] for n, t in enumerate(tokens)))
    return normalised(sums)


@pytest.mark.weights
@pytest.mark.parametrize("labels", [LABELS, SPLIT])
async def test_scores_are_those_of_a_full_forward_pass_over_prompt_and_label(
    labels: tuple[str, ...], exact: SmolLM2Scorer, model: tuple[Any, Any]
) -> None:
    scores = await exact.score_many(CHATS, labels)
    for messages, found in zip(CHATS, scores, strict=True):
        np.testing.assert_allclose(found, by_forward_pass(model, messages, labels), atol=2e-3)
        assert sum(map(math.exp, found)) == pytest.approx(1)
    np.testing.assert_allclose(await exact.score_many([CHATS[1]], labels), scores[1:2], atol=2e-3)


@pytest.mark.weights
async def test_int8_scores_are_near_the_exact_ones(scorer: SmolLM2Scorer, exact: SmolLM2Scorer) -> None:
    rough, fine = [np.exp(await one.score_many(CHATS, LABELS)) for one in (scorer, exact)]
    np.testing.assert_allclose(rough.sum(axis=1), 1)
    np.testing.assert_allclose(rough, fine, atol=0.2)


@pytest.mark.weights
@pytest.mark.slow
def test_scores_are_those_of_the_weights_in_the_gguf_file(settings: Settings, model: tuple[Any, Any]) -> None:
    from tests.test_smollm2 import _reference_logits

    generator, tokenizer = model
    prompt = [token for part in render(CHATS[0], tokenizer) for token in part]
    labels = [tokenizer.encode(label).tokens for label in LABELS]
    logits = _reference_logits(
        next((settings.models_dir / "smollm2").glob("*.gguf")), [tokenizer.token_to_id(token) for token in prompt]
    )[-1]
    expected = normalised([logits[tokenizer.token_to_id(label[0])] for label in labels])
    # what is left is the weights' own rounding to int8 in the converted file
    found = label_scores(generator, [prompt], labels, tokenizer.token_to_id)[0]
    np.testing.assert_allclose(found, expected, atol=0.35)


@pytest.mark.weights
async def test_rows_that_do_not_fit_together_are_scored_in_turns_to_the_same_end(
    exact: SmolLM2Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = await exact.score_many(CHATS, SPLIT)
    monkeypatch.setattr(label_scoring, "ROWS_TOKENS", 1)
    np.testing.assert_allclose(await exact.score_many(CHATS, SPLIT), together, atol=2e-3)


@pytest.mark.weights
async def test_the_same_answer_has_the_same_scores_whatever_was_scored_before(scorer: SmolLM2Scorer) -> None:
    first = await scorer.score_many(CHATS, LABELS)
    await scorer.score_many([[{"role": "user", "content": "Something else."}]], ("yes", "no"))
    assert await scorer.score_many(CHATS, LABELS) == first


@pytest.mark.weights
async def test_what_the_embedded_model_cannot_score_is_refused_with_what_to_do(scorer: SmolLM2Scorer) -> None:
    with pytest.raises(EngineError, match="VIVA_JUDGE_LLM=http"):
        await scorer.score_many([CHATS[0]], LABELS, model="viva-examiner")
    with pytest.raises(EngineError, match="begins with"):
        await scorer.score_many([CHATS[0]], ("no", "no idea"))
    too_long: list[ChatMessage] = [{"role": "user", "content": f"{SECRET_WORDS} " * 3000}]
    with pytest.raises(EngineError, match="longer than the 8192") as caught:
        await scorer.score_many([too_long], LABELS)
    assert SECRET_WORDS not in str(caught.value)


@pytest.mark.weights
async def test_a_closed_scorer_scores_no_more(settings: Settings) -> None:
    closed = smollm2_scorer.create(settings)
    await closed.close()
    with pytest.raises(RuntimeError, match="closed"):
        await closed.score_many([CHATS[0]], LABELS)


# ---- a server

JUDGE = [[("covered", -0.2)], [("wrong", -2.0)], [("missing", -4.0)]]
ADAPTER = [[("covered", -3.0)], [("wrong", -1.0)], [("missing", -0.6)]]
SEVERAL = [[("cover", -1.0), ("ed", -0.1)], [("cont", -2.0), ("rad", -0.5), ("icted", -0.25)], [("missing", -1.5)]]


def engine(address: str, **changes: Any) -> chat_http.HttpChat:
    given = {"llm": "http", "llm_url": f"http://{address}/v1", "llm_model": "judge", **changes}
    return chat_http.create(Settings(_env_file=None, **given))


async def asked(server: LabelServer, labels: Any = LABELS, n_chats: int = 1, **options: Any) -> list[tuple[float, ...]]:
    async with serving(server.app()) as address:
        chat = engine(address, **options.pop("settings", {}))
        try:
            return await chat.score_many(CHATS[:n_chats], labels, **options)
        finally:
            await chat.close()


async def test_labels_among_the_likeliest_tokens_take_one_request_each_chat() -> None:
    server = LabelServer({"judge": JUDGE})
    scores = await asked(server, n_chats=3)
    assert scores == [pytest.approx(normalised([-0.2, -2.0, -4.0]))] * 3
    assert len(server.seen.requests) == 3
    body = server.seen.requests[0]
    assert body["messages"] == list(CHATS[0]) and body["model"] == "judge"
    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 20)


async def test_an_adapter_is_scored_by_its_name() -> None:
    server = LabelServer({"judge": JUDGE, "viva-examiner": ADAPTER})
    assert (await asked(server, model="viva-examiner"))[0] == pytest.approx(normalised([-3.0, -1.0, -0.6]))
    assert (await asked(server, settings={"llm_model": "viva-examiner"})) == await asked(server, model="viva-examiner")


async def test_labels_of_several_tokens_are_scored_by_all_of_them() -> None:
    server = LabelServer({"judge": SEVERAL})
    scores = await asked(server, ("covered", "contradicted", "missing"))
    assert scores[0] == pytest.approx(normalised([-1.1, -2.75, -1.5]))
    reads = server.seen.requests[1:]
    assert [body["messages"][-1] for body in reads] == [
        {"role": "assistant", "content": label} for label in ("covered", "contradicted", "missing")
    ]
    assert all(body["continue_final_message"] and body["add_generation_prompt"] is False for body in reads)


async def test_a_label_that_is_not_listed_is_read_instead_of_guessed() -> None:
    server = LabelServer({"judge": JUDGE}, lists=2)
    assert (await asked(server))[0] == pytest.approx(normalised([-0.2, -2.0, -4.0]))


async def test_labels_that_are_not_listed_are_named_and_no_prompt_is_read() -> None:
    server = LabelServer({"judge": JUDGE}, lists=2, names=True)
    scores = await asked(server, n_chats=3)
    assert scores == [pytest.approx(normalised([-0.2, -2.0, -4.0]))] * 3
    assert len(server.seen.requests) == 6 and not any("prompt_logprobs" in body for body in server.seen.requests)
    assert sum("logprob_token_ids" in body for body in server.seen.requests) == 3


async def test_labels_of_several_tokens_cannot_be_named_and_are_read() -> None:
    server = LabelServer({"judge": SEVERAL}, names=True)
    scores = await asked(server, ("covered", "contradicted", "missing"))
    assert scores[0] == pytest.approx(normalised([-1.1, -2.75, -1.5]))
    assert not any("logprob_token_ids" in body for body in server.seen.requests)


@pytest.mark.parametrize("reads", [False, "refuses"])
async def test_a_server_that_reads_no_prompts_is_asked_so_once_and_gives_what_it_lists(reads: bool | str) -> None:
    server = LabelServer({"judge": JUDGE}, lists=2, reads_prompts=reads)
    async with serving(server.app()) as address:
        chat = engine(address)
        scores = [(await chat.score_many([messages], LABELS))[0] for messages in CHATS]
        await chat.close()
    # what is missing from the list is at most as likely as the last of it
    assert scores == [pytest.approx(normalised([-0.2, -2.0, -2.0]))] * 3
    assert len(server.seen.requests) == 3 + 3, "a list for each chat, and the three labels once"


async def test_labels_of_several_tokens_fall_back_to_their_beginnings() -> None:
    server = LabelServer({"judge": SEVERAL}, reads_prompts=False)
    scores = await asked(server, ("covered", "contradicted", "missing"))
    assert scores[0] == pytest.approx(normalised([-1.0, -2.0, -1.5]))


async def test_a_model_that_knows_none_of_the_labels_is_not_guessed_at() -> None:
    server = LabelServer({"judge": [[("The", -0.1)], [("I", -3.0)]]}, reads_prompts=False)
    with pytest.raises(EngineError, match="covered, wrong, missing.*trained to judge"):
        await asked(server)


async def test_a_server_without_log_probabilities_says_what_judging_needs() -> None:
    with pytest.raises(EngineError, match="logprobs.*vLLM"):
        await asked(LabelServer({"judge": JUDGE}, lists=0, reads_prompts=False))


async def test_an_unknown_adapter_names_those_the_server_has() -> None:
    with pytest.raises(EngineError, match="'examner'.*judge, viva-examiner"):
        await asked(LabelServer({"judge": JUDGE, "viva-examiner": ADAPTER}), model="examner")


async def test_a_failing_server_is_asked_again_and_given_up_without_the_candidates_words() -> None:
    server = LabelServer({"judge": JUDGE}, failures=[503, 429])
    assert (await asked(server))[0] == pytest.approx(normalised([-0.2, -2.0, -4.0]))
    for failures in ([500] * ATTEMPTS, [400]):
        server = LabelServer({"judge": JUDGE}, failures=failures)
        with pytest.raises(EngineError) as caught:
            await asked(server)
        assert SECRET_WORDS not in str(caught.value)


async def test_a_silent_server_is_given_up_after_the_time_limit() -> None:
    server = LabelServer({"judge": JUDGE}, wait_s=20)
    with pytest.raises(EngineError, match="within 0.3 s"):
        await asked(server, settings={"engine_timeout_s": 0.3})


async def test_overlapping_labels_are_refused_before_a_request() -> None:
    server = LabelServer({"judge": JUDGE})
    with pytest.raises(EngineError, match="begins with"):
        await asked(server, ("no", "no idea"))
    assert not server.seen.requests


# ---- which model judges


def given(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


def test_the_judging_model_is_the_chats_where_nothing_else_is_set() -> None:
    assert create_scorer(given(llm="http", llm_url="http://h:1", llm_model="base")).scored_model == "base"
    judge = create_scorer(given(llm="http", llm_url="http://h:1", llm_model="base", judge_model="viva-examiner"))
    assert judge.scored_model == "viva-examiner"


def test_an_adapter_on_a_server_may_judge_beside_the_embedded_chat() -> None:
    values = {"judge_llm": "http", "judge_url": "http://h:1"}
    assert create_scorer(given(**values, judge_model="viva-examiner")).scored_model == "viva-examiner"
    with pytest.raises(EngineError, match="VIVA_JUDGE_MODEL"):
        create_scorer(given(**values))
    with pytest.raises(EngineError, match="VIVA_LLM_URL"):
        create_scorer(given(judge_llm="http", judge_model="viva-examiner"))
    with pytest.raises(EngineError, match="known: http, smollm2"):
        create_scorer(given(judge_llm="oracle"))


async def test_a_judging_server_that_is_not_there_is_blamed_on_the_setting_that_names_it() -> None:
    asked = [[{"role": "user", "content": "?"}]]
    for values, setting in (
        ({"judge_url": "http://127.0.0.1:9"}, "VIVA_JUDGE_URL"),
        ({"llm_url": "http://127.0.0.1:9"}, "VIVA_LLM_URL"),
    ):
        scorer = create_scorer(given(judge_llm="http", judge_model="mine", **values))
        with pytest.raises(EngineError, match=f"correct {setting}"):
            await scorer.score_many(asked, ("yes", "no"))
        await scorer.close()


@pytest.mark.weights
def test_a_judging_model_is_made_only_for_the_judge_that_asks_it() -> None:
    judge = build_engines(given(judge="llm")).judge_chat
    assert judge is not None and judge.scored_model == "SmolLM2-135M-Instruct"
    assert build_engines(given()).judge_chat is None
