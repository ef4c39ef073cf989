"""A thousand broken, reordered, oversized and binary events, and a neighbour who must not notice."""

from __future__ import annotations

from collections import Counter
from random import Random

from workbench.bench.fuzz import SAMPLES, make_event, measure
from workbench.realtime.protocol import CLIENT_EVENT_TYPES, parse_client_event


def test_there_is_a_legal_sample_of_every_event_type():
    import json

    assert {sample["type"] for sample in SAMPLES} == set(CLIENT_EVENT_TYPES)
    for sample in SAMPLES:
        parse_client_event(json.dumps(sample))


def test_the_same_seed_makes_the_same_events_and_all_kinds_of_them():
    first, second = ([make_event(random) for _ in range(400)] for random in (Random(1), Random(1)))
    assert first == second
    kinds = Counter(event.kind for event in first)
    assert len(kinds) == 10
    refused = sum(event.must_fail for event in first)
    assert 0.5 < refused / 400 < 0.95, "most events are to be refused, some are legal"


async def test_a_thousand_hostile_events_are_each_answered_and_a_neighbour_is_undisturbed(scripted_url, settings):
    found = await measure(scripted_url, settings, events=1000, attackers=4, seed=0)
    assert found["events"] + sum(found["disconnects"].values()) == 1000
    assert found["unanswered"] == {}
    assert found["nameless"] == {}
    assert found["disconnects"] == {}
    assert found["alive"]
    assert found["neighbour_undisturbed"], found["neighbour"]
