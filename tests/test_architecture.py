"""Arrows of import go one way, loggers are configured by nobody, and the packages say what lives in them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent

MAY_IMPORT = {
    "exam": {"exam"},
    "bank_exchange": {"bank_exchange", "exam"},
    "engines": {"engines", "settings", "audio", "memory", "models", "model_manifest", "packages"},
    "judging": {"judging", "exam", "engines", "settings"},
    "statistics": {"statistics"},
    "store": {"store", "exam", "settings", "engines", "statistics"},
    "reports": {"reports", "exam", "store", "settings", "statistics"},
    "transcripts": {"transcripts", "exam", "store", "settings"},
    "delivery": {"delivery", "reports", "exam", "store", "settings"},
    "realtime": {"realtime", "judging", "exam", "engines", "store", "settings", "audio", "memory", "metrics"},
    "web": {
        "web",
        "statistics",
        "transcripts",
        "bank_exchange",
        "reports",
        "delivery",
        "exam",
        "engines",
        "store",
        "settings",
        "realtime",
        "serve",
        "api_access",
        "judging",
        "audio",
    },
}
"""Folder of `workbench` -> parts of `workbench` its files may import."""


def imports_of(path: Path) -> set[str]:
    """Every module a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT))
def test_a_folder_imports_only_what_is_below_it(folder: str) -> None:
    wrong = []
    for path in sorted((REPOSITORY / "workbench" / folder).rglob("*.py")):
        for module in imports_of(path):
            parts = module.split(".")
            if parts[0] == "finetune" or (
                parts[0] == "workbench" and len(parts) > 1 and parts[1] not in MAY_IMPORT[folder]
            ):
                wrong.append(f"{path.relative_to(REPOSITORY)} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_finetune_never_reaches_for_the_socket_or_the_page() -> None:
    for path in sorted((REPOSITORY / "finetune").rglob("*.py")):
        reached = {m for m in imports_of(path) if m.startswith(("workbench.realtime", "workbench.web"))}
        assert not reached, f"{path.name} imports {reached}"
        simulated = {".".join(m.split(".")[:3]) for m in imports_of(path) if m.startswith("workbench.simulate")}
        allowed = {"workbench.simulate.sound", "workbench.simulate.voices"}
        assert simulated <= allowed, f"{path.name} imports {simulated}"


def test_the_exam_is_pure() -> None:
    banned = {"asyncio", "socket", "threading", "time", "sqlalchemy", "gradio", "numpy", "random.random"}
    for path in sorted((REPOSITORY / "workbench" / "exam").rglob("*.py")):
        tops = {module.split(".")[0] for module in imports_of(path)}
        assert not tops & banned, f"{path.name} imports {tops & banned}"


def test_of_the_statistics_the_server_takes_only_the_numbers_that_need_no_tables() -> None:
    allowed = "workbench.statistics.core"
    for folder in ("store", "reports", "web"):
        for path in sorted((REPOSITORY / "workbench" / folder).rglob("*.py")):
            reached = {m for m in imports_of(path) if m.startswith("workbench.statistics")}
            assert all(m.startswith(allowed) for m in reached), f"{path.name} imports {reached}"
    core = imports_of(REPOSITORY / "workbench" / "statistics" / "core.py")
    assert {module.split(".")[0] for module in core} <= {"__future__", "collections", "math", "numpy", "scipy"}


def test_loggers_are_module_loggers_and_only_the_server_configures_them() -> None:
    for path in sorted((REPOSITORY / "workbench").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert "logging.getLogger()" not in text, path.name
        if path.name != "serve.py":
            assert "basicConfig" not in text, f"{path.name} configures logging"


def test_every_package_says_in_one_sentence_what_lives_there() -> None:
    for path in sorted((REPOSITORY / "workbench").rglob("__init__.py")):
        if "versions" in path.parts:
            continue
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert docstring and len(docstring) > 20, f"{path.relative_to(REPOSITORY)} has no docstring"
