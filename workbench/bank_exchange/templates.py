"""Files to start a bank from: one worked question, and places for what is to be written."""

from __future__ import annotations

from typing import Literal

from workbench.bank_exchange.csv_format import write_csv
from workbench.bank_exchange.source import from_bytes
from workbench.bank_exchange.xlsx_format import write_xlsx
from workbench.bank_exchange.yaml_format import read_yaml
from workbench.exam.bank_overlap import PLACEHOLDER

TemplateFormat = Literal["yaml", "csv", "xlsx"]
N_SCENARIOS, N_QUESTIONS = 4, 3

_HEAD = f"""\
# A question bank. Whatever says {PLACEHOLDER} is to be written; the first question is a worked example.
# Check it with `viva bank check FILE`, then save it with `viva bank import FILE --to DIR`.

discipline: DISCIPLINE        # small letters, figures, hyphens; areas are added to a discipline of the same key
title: TITLE                  # as people read it
version: 0.1.0
licence: CC-BY-4.0            # under which others may use the questions
authors: [{PLACEHOLDER} your name]
description: {PLACEHOLDER} what is examined, and at which level
not_for: {PLACEHOLDER} what it must not be used for

areas:
  - key: AREA
    title: {PLACEHOLDER} name of the area
    # jurisdiction: England and Wales     # which law or rule system holds, where that matters
    scenarios:                            # at least four, each with at least three questions
"""

_SCENARIO = """\
      - id: case-{s}
        title: {title}
        # two or three spoken sentences; with a question at most 25 seconds, heard once
        text: >-
          {text}
        questions:
"""

_EXAMPLE = """\
          - id: case-1-question-1
            stem: What do you do for the burn, in which order, and what do you keep away from it?
            difficulty: 2                   # 1 easy to 5 hard
            cognitive_level: apply          # remember, understand, apply, analyse, evaluate, create
            sources:                        # by name and year
              - European Resuscitation Council guidelines, first aid, 2021
            key_terms: [cling film]         # rare words of a likely answer; they help the recogniser
            key_points:                     # three to six; the weights sum to 1
              - id: cool
                text: The burn is cooled with running water for twenty minutes.
                said: cooling with running water        # reads after "You did not mention"
                weight: 0.5
                essential: true             # contradicting it bars the verdict "correct"
                accepted:                   # spoken wordings that earn the point, lay words too
                  - cool it with water
                  - running water
                  - hold it under the tap
                  - 20 minutes of water
                misconceptions:             # spoken wordings that contradict it
                  - ice on the burn
                  - do not cool it
                probe: What is the very first thing you do to the skin?     # gives nothing away
              - id: jewellery
                text: Rings and loose clothing come off before it swells.
                said: taking off rings
                weight: 0.25
                accepted:
                  - take off the rings
                  - remove jewellery
                  - remove clothing that is not stuck
                misconceptions:
                  - pull off the stuck cloth
                probe: What is taken off the hand, and why early?
              - id: cover
                text: It is covered loosely with cling film or a clean cloth.
                said: covering it loosely
                weight: 0.25
                accepted:
                  - cover it with cling film
                  - clean cloth over it
                  - sterile dressing
                misconceptions:
                  - butter on it
                  - toothpaste on it
                probe: How do you protect it afterwards?
            model_answer: >-
              I cool the burn under running water for twenty minutes. Meanwhile I take off rings and loose clothing, and
              afterwards I cover it loosely with cling film.
            exemplars:                      # answers as people speak them, two or more of each verdict
              - text: Er, straight under the tap, twenty minutes of running water, rings off, then cling film over it.
                verdict: correct
                points: 10                  # 0 to 10 in steps of 0.5, as the weights have it
              - text: Hold it under the tap for a good while and, um, cover it with cling film when it's done.
                verdict: correct
                points: 7.5
              - text: I'd cool it with water, I think, and call someone.
                verdict: partial
                points: 5
              - text: Take off the rings before the hand swells and put a sterile dressing on.
                verdict: partial
                points: 5
              - text: Some butter on it, my grandmother always did that.
                verdict: incorrect
                points: 0
              - text: I would leave it alone and wait for the doctor.
                verdict: incorrect
                points: 0
                note: Optional, why it is marked so.
"""

_QUESTION = """\
          - id: case-{s}-question-{q}
            stem: {p} the question as it is spoken?
            difficulty: 3
            cognitive_level: understand
            sources: [{p} a standard text and its year]
            key_points:
{points}            model_answer: {p} with two to four spoken sentences.
            exemplars: []
"""

_POINT = """\
              - id: point-{k}
                text: {p} with point {k} as a sentence.
                weight: {weight}
                accepted: [{p} a spoken wording of point {k}]
                probe: {p} a question that invites point {k}?
"""


def template(format: TemplateFormat, discipline: str = "first-aid", area: str = "basics") -> bytes:
    """A file to fill in: a bank of one area that the schema holds, whose findings are the places to fill.

    Args:
        format: `yaml` with comments, `csv` with help lines, `xlsx` with a help sheet, notes and lists to choose from.
        discipline: Key of the discipline, small letters, figures and hyphens.
        area: Key of the area.
    """
    text = _yaml(discipline, area)
    if format == "yaml":
        return text.encode()
    data = read_yaml(from_bytes("template.yaml", text.encode())).data
    return write_csv(data, with_help=True) if format == "csv" else write_xlsx(data)


def _yaml(discipline: str, area: str) -> str:
    title = discipline.replace("-", " ").replace("_", " ").capitalize()
    parts = [_HEAD.replace("DISCIPLINE", discipline).replace("TITLE", title).replace("AREA", area)]
    for s in range(1, N_SCENARIOS + 1):
        if s == 1:
            case = (
                "A cook has just poured boiling water over the back of her hand. The skin is red, and she is in pain."
            )
            parts.append(_SCENARIO.format(s=s, title="A burnt hand", text=case))
        else:
            parts.append(
                _SCENARIO.format(s=s, title=f"{PLACEHOLDER} title of case {s}", text=f"{PLACEHOLDER} the case.")
            )
        for q in range(1, N_QUESTIONS + 1):
            parts.append(_EXAMPLE if (s, q) == (1, 1) else _question(s, q))
    return "".join(parts)


def _question(s: int, q: int) -> str:
    weights = (0.4, 0.3, 0.3)
    points = "".join(_POINT.format(k=k, p=PLACEHOLDER, weight=weight) for k, weight in enumerate(weights, start=1))
    return _QUESTION.format(s=s, q=q, p=PLACEHOLDER, points=points)
