"""Formats other programs open, opened by those programs' own readers, and read back."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.transcript_helpers import HOSTILE, assert_same, full_store
from workbench.store.repository import Store
from workbench.transcripts import (
    FORMATS,
    TranscriptError,
    Transcripts,
    dictionary,
    load,
    read_convokit,
    read_eaf,
    read_textgrid,
    read_webvtt,
    redact,
    summary,
    to_convokit,
    to_csv,
    to_eaf,
    to_parquet,
    to_textgrid,
    to_webvtt,
    with_new_pseudonyms,
    write,
)
from workbench.transcripts.columns import TABLES
from workbench.transcripts.spans import Span, laid_out, one_line
from workbench.transcripts.summaries import lines

WITH_TURNS = ["sess_spoken", "sess_typed", "sess_talk"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = full_store(tmp_path_factory.mktemp("store"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def loaded(store: Store) -> Transcripts:
    return load(store)


@pytest.mark.parametrize("writer", [to_parquet, to_csv])
def test_tables_come_back_from_their_files_as_they_were(writer, loaded: Transcripts, tmp_path: Path):
    assert_same(loaded, load(writer(loaded, tmp_path / "out")))


def test_parquet_is_read_by_pandas_and_by_duckdb_with_the_same_rows(loaded: Transcripts, tmp_path: Path):
    duckdb = pytest.importorskip("duckdb")
    folder = to_parquet(loaded, tmp_path)
    for name in TABLES:
        plain = pd.read_parquet(folder / f"{name}.parquet")
        assert list(plain.columns) == list(TABLES[name].names) and len(plain) == len(loaded.table(name))
        ((counted,),) = duckdb.sql(f"SELECT count(*) FROM '{folder}/{name}.parquet'").fetchall()
        assert counted == len(plain)
    ((points, texts),) = duckdb.sql(
        f"SELECT (SELECT sum(points) FROM '{folder}/marks.parquet' WHERE counts),"
        f" (SELECT count(*) FROM '{folder}/turns.parquet' WHERE text_planned IS NOT NULL)"
    ).fetchall()
    assert (points, texts) == (loaded.marks[loaded.marks.counts].points.sum(), 1)
    ((text,),) = duckdb.sql(f"SELECT text FROM '{folder}/turns.parquet' WHERE turn_index = 9").fetchall()
    assert text == HOSTILE


def test_a_csv_keeps_missing_and_empty_apart_and_pandas_reads_it(loaded: Transcripts, tmp_path: Path):
    folder = to_csv(loaded, tmp_path)
    plain = pd.read_csv(folder / "turns.csv", keep_default_na=False)
    assert len(plain) == len(loaded.turns) and plain.text.iloc[9] == HOSTILE
    raw = (folder / "turns.csv").read_text(encoding="utf-8")
    assert raw.splitlines()[0].startswith('"session_id","turn_index"')


def test_parquet_columns_say_what_they_mean_and_in_which_unit(loaded: Transcripts, tmp_path: Path):
    import pyarrow.parquet

    schema = pyarrow.parquet.read_schema(to_parquet(loaded, tmp_path) / "turns.parquet")
    assert schema.field("start_s").metadata[b"unit"] == b"s from the start of the recording"


def test_praatio_opens_the_textgrid_and_finds_every_turn_to_the_digit(loaded: Transcripts, tmp_path: Path):
    from praatio import textgrid

    folder = to_textgrid(loaded, tmp_path)
    assert sorted(path.stem for path in folder.iterdir()) == sorted(loaded.sessions.session_id)
    for session_id in WITH_TURNS:
        grid = textgrid.openTextgrid(
            str(folder / f"{session_id}.TextGrid"), includeEmptyIntervals=False, reportingMode="error"
        )
        turns = loaded.turns[(loaded.turns.session_id == session_id) & (loaded.turns.text != "")]
        for speaker, said in turns.groupby("speaker", observed=True):
            entries = grid.getTier(speaker).entries
            assert [entry.label for entry in entries] == [one_line(text) for text in said.text]
            assert [entry.start for entry in entries] == list(said.start_s)
    grid = textgrid.openTextgrid(str(folder / "sess_spoken.TextGrid"), includeEmptyIntervals=True)
    assert set(grid.tierNames) == {"candidate", "examiner", "candidate words", "items"}
    assert grid.maxTimestamp == 25.0 and [entry.start for entry in grid.getTier("items").entries][1] == 6.0


def test_a_textgrid_is_read_back_with_its_words(loaded: Transcripts, tmp_path: Path):
    spans = read_textgrid(to_textgrid(loaded, tmp_path) / "sess_spoken.TextGrid")
    words = loaded.words[loaded.words.session_id == "sess_spoken"]
    found = spans[spans.tier == "candidate words"]
    assert list(found.text) == [one_line(word) for word in words.word] and list(found.start_s) == list(words.start_s)
    (tmp_path / "no.TextGrid").write_text("nothing")
    with pytest.raises(TranscriptError, match="no.TextGrid is no TextGrid"):
        read_textgrid(tmp_path / "no.TextGrid")


def test_pympi_opens_the_eaf_and_finds_turns_words_and_the_recording(loaded: Transcripts, tmp_path: Path):
    from pympi import Eaf

    audio = tmp_path / "audio"
    audio.mkdir()
    (audio / "sess_spoken.flac").write_bytes(b"sound")
    heard = Transcripts(
        loaded.table, about="a test", recording=lambda i: audio / f"{i}.flac" if "spoken" in i else None
    )
    folder = to_eaf(heard, tmp_path / "eaf")
    document = Eaf(str(folder / "sess_spoken.eaf"))
    assert set(document.get_tier_names()) == {"candidate", "examiner", "candidate words", "items"}
    turns = loaded.turns[(loaded.turns.session_id == "sess_spoken") & (loaded.turns.speaker == "candidate")]
    found = sorted(document.get_annotation_data_for_tier("candidate"))
    assert [(start, end) for start, end, _ in found] == [
        (round(a * 1000), round(b * 1000)) for a, b in zip(turns.start_s, turns.end_s, strict=True)
    ]
    assert [text for _, _, text in found] == [one_line(text) for text in turns.text]
    (linked,) = document.get_linked_files()
    assert (
        linked["MEDIA_URL"] == os.path.join("..", "audio", "sess_spoken.flac") and linked["MIME_TYPE"] == "audio/flac"
    )
    spans = read_eaf(to_eaf(heard, tmp_path / "eaf") / "sess_spoken.eaf")
    assert not list((tmp_path / "eaf").glob("*.bak"))
    assert (spans.tier == "candidate words").sum() == (loaded.words.session_id == "sess_spoken").sum()
    (tmp_path / "no.eaf").write_text("<nothing/>")
    with pytest.raises(TranscriptError, match="no EAF"):
        read_eaf(tmp_path / "no.eaf")


def test_a_validator_accepts_the_webvtt_and_it_is_read_back(loaded: Transcripts, tmp_path: Path):
    webvtt = pytest.importorskip("webvtt")
    folder = to_webvtt(loaded, tmp_path)
    assert sorted(path.stem for path in folder.iterdir()) == sorted(WITH_TURNS)
    for session_id in WITH_TURNS:
        turns = loaded.turns[loaded.turns.session_id == session_id]
        captions = webvtt.read(folder / f"{session_id}.vtt")
        assert [caption.voice for caption in captions] == [speaker.capitalize() for speaker in turns.speaker]
        back = read_webvtt(folder / f"{session_id}.vtt")
        assert list(back.text) == [one_line(text) for text in turns.text] and list(back.speaker) == list(turns.speaker)
        assert (back.start_s - turns.start_s.to_numpy()).abs().max() <= 0.0005 and (back.end_s > back.start_s).all()
    content = (folder / "sess_spoken.vtt").read_text(encoding="utf-8")
    assert "&lt;b&gt;" in content and content.count("-->") == 10


def test_a_convokit_corpus_is_read_back_without_loss(loaded: Transcripts, tmp_path: Path):
    assert_same(loaded, read_convokit(to_convokit(loaded, tmp_path)))
    (tmp_path / "conversations.json").write_text("{")
    with pytest.raises(TranscriptError, match="no corpus"):
        read_convokit(tmp_path)
    with pytest.raises(TranscriptError, match="speakers.json"):
        read_convokit(tmp_path.parent)


def test_convokits_own_corpus_opens_it_and_what_it_dumps_is_read_back(loaded: Transcripts, tmp_path: Path):
    if importlib.util.find_spec("convokit") is None:
        pytest.skip("ConvoKit is not installed: pip install --no-deps convokit==5.0.0 pymongo")
    folder = to_convokit(loaded, tmp_path / "vivas")
    # in a process of its own: ConvoKit makes a folder in the home directory when it is imported
    code = f"""
from convokit import Corpus
corpus = Corpus(filename={str(folder)!r})
speakers = sorted(s.id for s in corpus.iter_speakers())
one = corpus.get_conversation("sess_spoken")
turns = [(u.speaker.id == "examiner", u.text, u.timestamp) for u in one.get_chronological_utterance_list()]
assert one.check_integrity(verbose=False)
corpus.dump("again", base_path={str(tmp_path)!r})
import json; print(json.dumps([len(speakers), turns, one.meta["score"], len(one.meta["marks"])]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)}
    )
    assert done.returncode == 0, done.stderr
    n_speakers, turns, score, n_marks = json.loads(done.stdout.splitlines()[-1])
    wanted = loaded.turns[loaded.turns.session_id == "sess_spoken"]
    assert [text for _, text, _ in turns] == list(wanted.text) and [at for *_, at in turns] == list(wanted.start_s)
    assert [examiner for examiner, *_ in turns] == list(wanted.speaker == "examiner")
    # ConvoKit forgets conversations and speakers without an utterance
    assert (n_speakers, score, n_marks) == (4, 8.0, 3)
    assert_same(loaded.only(WITH_TURNS), read_convokit(tmp_path / "again"))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_becomes_a_folder_or_a_zip_and_overwrites_nothing(kind: str, loaded: Transcripts, tmp_path: Path):
    import zipfile

    folder = write(loaded, kind, tmp_path / "new")
    archive = write(loaded, kind, tmp_path / "vivas.zip")
    with zipfile.ZipFile(archive) as opened:
        assert sorted(opened.namelist()) == sorted(f"vivas/{path.name}" for path in folder.iterdir())
    with pytest.raises(TranscriptError, match="there already"):
        write(loaded, kind, folder)
    if kind in ("parquet", "tables"):
        assert_same(loaded, load(archive))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_takes_a_store_without_vivas(kind: str, tmp_path: Path):
    write(Transcripts.of({}), kind, tmp_path / "out")


def test_an_unknown_format_lists_the_known_ones(loaded: Transcripts, tmp_path: Path):
    with pytest.raises(TranscriptError, match="no format 'docx'; there are parquet, tables, webvtt"):
        write(loaded, "docx", tmp_path / "x")


def test_spans_are_moved_apart_and_given_a_length():
    placed = laid_out([Span(2.0, 3.0, "b"), Span(0.0, 2.5, "a"), Span(3.0, 3.0, "typed")])
    assert placed == [Span(0.0, 2.5, "a"), Span(2.5, 3.0, "b"), Span(3.0, 3.001, "typed")]
    assert laid_out([]) == []


def test_names_that_are_kept_nowhere_are_taken_out_when_given_or_when_the_candidate_said_them(loaded: Transcripts):
    turns = loaded.turns.copy()
    turns.loc[1, "text"] = "my name is grace hopper"
    turns.loc[5, "text"] = "Grace thinks aspirin for Mr Jones"
    words = loaded.words.copy()
    words.loc[3:4, "word"] = ["grace", "hopper"]
    spoken = Transcripts.of({name: loaded.table(name) for name in TABLES} | {"turns": turns, "words": words})
    clean = redact(spoken, ["Jones"])
    assert clean.turns.text[1] == "my name is [name]" and clean.turns.text[5] == "[name] thinks aspirin for Mr [name]"
    assert list(clean.words.word[3:5]) == ["[name]", "[name]"]
    assert list(redact(spoken, {"sess_spoken": ["Jones"]}, introductions=False).turns.text[[1, 5]]) == [
        "my name is grace hopper",
        "Grace thinks aspirin for Mr [name]",
    ]
    assert_same(loaded, redact(loaded))


def test_new_pseudonyms_are_the_same_under_the_same_key_and_lead_nowhere_without_it(loaded: Transcripts):
    one, again, other = (with_new_pseudonyms(loaded, key) for key in ("first", b"first", "second"))
    assert_same(one, again)
    for name in TABLES:
        assert not set(one.table(name).session_id) & set(loaded.table(name).session_id)
        assert not set(one.table(name).session_id) & set(other.table(name).session_id)
        assert len(one.table(name)) == len(loaded.table(name))
    assert not set(one.sessions.candidate_id) & set(loaded.sessions.candidate_id)
    old = set(loaded.sessions.candidate_id)
    assert not any(pseudonym in one.table(name).to_csv() for pseudonym in old for name in TABLES)
    assert (one.marks.rater == "hybrid").sum() == 2 and (one.sessions.seed == 0).all()
    with pytest.raises(ValueError, match="empty"):
        with_new_pseudonyms(loaded, "")


def test_the_summary_has_a_row_a_viva_and_its_line_says_nothing_of_what_was_said(loaded: Transcripts):
    found = summary(loaded).set_index("session_id")
    spoken = found.loc["sess_spoken"]
    assert (spoken.n_turns, spoken.n_interrupted, spoken.n_marks, spoken.n_corrected) == (10, 1, 3, 1)
    assert spoken.n_words == len(loaded.words) and spoken.examiner_share == pytest.approx(11.0 / 19.75)
    assert pd.isna(found.loc["sess_left"].examiner_share)
    printed = list(lines(summary(loaded)))
    assert len(printed) == 4 and printed[0].startswith("sess_spoken  2026-01-01  c-") and "8/120" in printed[0]
    assert "aspirin" not in "".join(printed)
    assert summary(Transcripts.of({})).empty


def test_the_dictionary_explains_every_column_of_every_table(loaded: Transcripts):
    text = dictionary()
    for name, table in TABLES.items():
        section = text.split(f"## {name}\n")[1].split("\n## ")[0]
        for column in table.columns:
            assert section.count(f"| `{column.name}` |") == 1 and column.meaning in section
        assert list(loaded.table(name).columns) == list(table.names)
