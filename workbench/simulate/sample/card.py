"""The card of the sample."""

from __future__ import annotations

from typing import Any


def card(facts: dict[str, Any]) -> str:
    """What the sample is, as Markdown, with the figures it was made with."""
    raters = "\n".join(
        f"| `{name}` | {r['offset']:+.1f} | {r['noise']:.1f} | {r['drift']:+.1f} | {r['n_marks']} |"
        f" {r['expected_difference']:+.2f} |"
        for name, r in facts["raters"].items()
    )
    faults = "\n".join(
        f"| `{name}` | {item['area']} | {item['fault']} |" for name, item in facts["items"].items() if item["fault"]
    )
    rates = ", ".join(f"{group} {rate:.2f}" for group, rate in facts["word_error_rate_aimed_at"].items())
    spoken = ", ".join(f"`{name}`" for name in facts["spoken"])
    bias = f"{facts['bias']['logits']:g} logits harder for `{facts['bias']['against']}` candidates"
    return f"""# Sample of vivas with known truth

{facts["n_sessions"]} simulated exams of twelve questions, {facts["n_words"]:,} recognised words, in the tables of
`workbench.transcripts` (`load("data/sample")`; [dictionary.md](dictionary.md) explains every column). Nobody real
is in it.

**Where from.** `make sample`, seed {facts["seed"]}: the exam of this program asks the questions of two of its banks
(cardiology; tort, England and Wales), planned candidates answer in the banks' wordings, the default judge marks
what was recognised. Of {len(facts["spoken"])} vivas ({spoken}) both sides were spoken by Piper and the candidate was
heard by Whisper tiny.en; their sound is in `audio/` (Ogg Opus, left candidate, right examiner). In the others lengths
follow letters and punctuation, and words are misheard as Whisper was measured to mishear them
(`data/judging/confusions.json`). `turns.text` is what was recognised, `text_corrected` what was said. The same seed
makes the same tables but for the spoken vivas, whose sound depends on the machine.

**Licence.** CC BY 4.0, as the banks; the voice is CC0.

**What for.** Trying the notebooks, teaching, testing statistics: `truth.json` and `truth_answers.csv` hold what they
should find.
**What not for.** Statements about people, voices, banks or this program's marks: response times, slips and errors
were put in.

## What is true of it

- Abilities are normal quantiles (standard deviation {facts["ability_sd"]:g} logits) in both areas. A key point is
  covered with the probability logistic(ability - difficulty of the question - difficulty of the point); what that
  deserves by the exam's rules is `deserved_points`.
- The groups `steady` and `hurried` (voices) are equally able. Hurried candidates speak 1.3 times as fast and are
  misheard more often (word error rates aimed at: {rates}).
- One question an area is {bias}, one is answered at random, one the worse the better the candidate is:

| question | area | fault |
|---|---|---|
{faults}

- A tenth have 25 % extra time; they wait longer before they speak and know as much. A twentieth type.
- Candidates wait longer the harder a question is for them; about 5 % of the answers cut into the question, and before
  4 % the question is repeated.
- Three raters mark beside the judge, from the deserved points, within 0 and 10; the difference to be found is the
  offset after that limit (a drift runs from the first viva to the last):

| rater | offset | noise (SD) | drift | marks | difference to be found |
|---|---|---|---|---|---|
{raters}

- `events` is empty: it was made without a server, which keeps them.
"""
