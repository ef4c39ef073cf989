"""What an adapter tells candidates about their answers, beside what an examiner told them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from finetune.adapter_judge import Loaded
from finetune.examples import Asked, prompt_ids, prompt_of

MOST_TOKENS = 96
"""Of one feedback, some 70 words: a candidate has to hear it out."""

AT_ONCE = 8


def written_feedback(
    loaded: Loaded, asked: Sequence[Asked], told: Callable[[int], None] = lambda done: None
) -> list[str]:
    """The likeliest feedback on each answer, word by word; what has not ended by `MOST_TOKENS` is broken off.

    Args:
        loaded: A causal model, with or without adapter.
        asked: Rows of the task `feedback`.
        told: Is called with the number of rows done.
    """
    import torch

    from finetune.batches import left_padded

    tokenizer, texts = loaded.tokenizer, [""] * len(asked)
    prompts = [prompt_ids(prompt_of(one).messages, tokenizer) for one in asked]
    order = sorted(range(len(asked)), key=lambda i: len(prompts[i]))
    for start in range(0, len(order), AT_ONCE):
        places = order[start : start + AT_ONCE]
        batch = left_padded([prompts[i] for i in places], tokenizer.pad_token_id)
        batch.pop("position_ids")  # it counts them from the mask, as we do
        with torch.inference_mode():
            found = loaded.model.generate(
                **{name: tensor.to(loaded.device) for name, tensor in batch.items()},
                max_new_tokens=MOST_TOKENS,
                do_sample=False,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        for place, row in zip(places, found, strict=True):
            text = tokenizer.decode(row[batch["input_ids"].shape[1] :], skip_special_tokens=True)
            texts[place] = " ".join(text.split())
        told(start + len(places))
    return texts


def feedback_figures(written: Sequence[str], examiners: Sequence[str]) -> dict[str, Any]:
    """How near texts come to the examiners', by the measures that SAF's authors report.

    Args:
        written: By a model.
        examiners: By people, one for each.

    Returns:
        `bleu` and `chrf` (0 to 100, by sacrebleu), `words` (mean length of each side), `different` (share of texts that
        stand only once: one that always says the same scores well on some sets).
    """
    import sacrebleu

    return {
        "n": len(written),
        "bleu": round(sacrebleu.corpus_bleu(list(written), [list(examiners)]).score, 2),
        "chrf": round(sacrebleu.corpus_chrf(list(written), [list(examiners)]).score, 2),
        "words": {
            "written": round(sum(len(text.split()) for text in written) / len(written), 1),
            "examiners": round(sum(len(text.split()) for text in examiners) / len(examiners), 1),
        },
        "different": round(sum(written.count(text) == 1 for text in written) / len(written), 3),
    }
