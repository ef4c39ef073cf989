"""Every notebook runs from top to bottom, shows no error and no warning, and is kept without outputs."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks need the extras research and dev: make install")
nbclient = pytest.importorskip("nbclient", reason="notebooks need the extras research and dev: make install")

REPOSITORY = Path(__file__).parent.parent
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
NEEDS_WEIGHTS = {"8_write_a_bank_and_try_it"}
NEEDS_SAMPLE = {
    "1_first_look", "2_latency", "3_turn_taking", "4_are_the_questions_good", "5_can_the_marks_be_trusted",
    "6_what_recognition_errors_cost",
}  # fmt: skip
CELL_TIMEOUT_S = 240
WARNING = re.compile(r"\b(\w*Warning|WARNING|Traceback)\b")


def named(path: Path) -> object:
    marks = [pytest.mark.slow] + ([pytest.mark.weights] if path.stem in NEEDS_WEIGHTS else [])
    return pytest.param(path, id=path.stem, marks=marks)


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=CELL_TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return notebook


def shown(notebook: nbformat.NotebookNode) -> str:
    """All text that the notebook shows, and what it wrote to stderr."""
    parts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            parts.append(output.get("text", ""))
            parts.append(str(output.get("data", {}).get("text/plain", "")))
    return "\n".join(parts)


def stderr(notebook: nbformat.NotebookNode) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["text"] for output in outputs if output.get("name") == "stderr"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", [named(path) for path in NOTEBOOKS])
def test_a_notebook_runs_without_error_or_warning(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if path.stem in NEEDS_SAMPLE and not (REPOSITORY / "data" / "sample" / "truth.json").is_file():
        pytest.skip("there is no data/sample: make sample makes it")
    for name in ("VIVA_DATABASE_URL", "VIVA_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MPLCONFIGDIR", os.environ.get("MPLCONFIGDIR", str(tmp_path)))
    notebook = run(path, path.parent)
    assert stderr(notebook) == []
    assert not WARNING.search(shown(notebook))
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    pictures = [cell for cell in cells for output in cell.outputs if "image/png" in output.get("data", {})]
    assert pictures, "no figure was drawn"
    assert "Viva Workbench contributors" in shown(notebook), "no citation was printed"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_notebooks_run_from_the_root_of_the_repository_too() -> None:
    if not (REPOSITORY / "data" / "sample" / "truth.json").is_file():
        pytest.skip("there is no data/sample: make sample makes it")
    assert stderr(run(REPOSITORY / "notebooks" / "2_latency.ipynb", REPOSITORY)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_is_thin_and_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        assert cell.outputs == [] and cell.execution_count is None, f"{path.name} has outputs: clear them before commit"
        source = "\n".join(
            "pass" if line.lstrip().startswith(("!", "%")) else line for line in cell.source.splitlines()
        )
        defined = [
            node
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda)
        ]
        assert not defined, f"{path.name} defines functions: they belong in the package"


def test_there_are_eight_notebooks_numbered_by_question() -> None:
    assert [path.name[0] for path in NOTEBOOKS] == list("12345678")
    readme = (REPOSITORY / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert all(path.name in readme for path in NOTEBOOKS)
