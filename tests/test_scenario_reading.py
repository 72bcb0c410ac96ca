"""What cannot even be read ends in one line, with line and column where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from broken_scenarios import BASE
from stresscube.scenario import ScenarioError, load, loads


def message(path: Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert len(caught.value.faults) == 1
    return str(caught.value).removeprefix(f"{path}: ")


def written(folder: Path, data: bytes) -> Path:
    path = folder / "x.toml"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            b'name = "a"\nseed = = 1\n',
            "is not valid TOML: Invalid value (line 2, column 8)",
        ),
        (
            b'name = "a',
            "is not valid TOML: Unterminated string (line 1, column 10, the end)",
        ),
        (
            b'name = "a"\nname = "b"\n',
            "is not valid TOML: Cannot overwrite a value (line 2, column 11)",
        ),
        (
            b'\xef\xbb\xbfname = "a"\n',
            "line 1, column 1: begins with a byte order mark; save it as UTF-8 without one",
        ),
        ('name = "a"\n'.encode("utf-16"), "line 1, column 1: is UTF-16 text; save it as UTF-8"),
        (
            b'name = "a"\n# caf\xe9\n',
            "line 2, column 6: byte 0xe9 is not UTF-8; save it as UTF-8",
        ),
        (
            b"\x89PNG\r\n\x1a\n\x00\x00",
            "line 3, column 1: holds a zero byte; this is no text file",
        ),
        (
            b"x = " + b"[" * 100_000,
            "is not valid TOML: lists or tables are nested too deeply",
        ),
    ],
    ids=["syntax", "open", "twice", "bom", "utf16", "latin1", "binary", "deep"],
)
def test_unreadable_files(tmp_path: Path, data: bytes, expected: str) -> None:
    assert message(written(tmp_path, data)) == expected


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "quickstart.toml").write_text(BASE)
    assert message(tmp_path / "quikstart.toml") == 'no such file; did you mean "quickstart.toml"?'
    assert message(tmp_path / "nowhere" / "x.toml") == "no such file"


def test_folder(tmp_path: Path) -> None:
    assert message(tmp_path) == "is a folder; name a scenario file in it, such as x.toml"


def test_strange_paths() -> None:
    assert message(Path("a\0b")).endswith("cannot be read: embedded null byte")
    assert message(Path("x" * 5000)).endswith("cannot be read: File name too long")


def test_forbidden_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, BASE.encode())
    monkeypatch.setattr(Path, "open", refuse)
    assert message(path) == "cannot be read: Permission denied"


def test_an_enormous_file_is_refused_early(tmp_path: Path) -> None:
    path = written(tmp_path, b"#" * 10_000_001)
    assert message(path) == "is larger than 10,000,000 bytes; this is no scenario file"


def test_an_enormous_number_is_no_traceback() -> None:
    with pytest.raises(ScenarioError, match="seed"):
        loads(BASE.replace("seed = 1", "seed = " + "9" * 4000))
    with pytest.raises(ScenarioError, match="is not valid TOML"):
        loads(BASE.replace("seed = 1", "seed = " + "9" * 5000))


def test_windows_line_ends_are_fine() -> None:
    assert loads(BASE.replace("\n", "\r\n")).name == "base"


def test_source_and_text_are_kept(tmp_path: Path) -> None:
    path = written(tmp_path, BASE.encode())
    scenario = load(path, ["simulation.paths=7"])
    assert scenario.source == str(path)
    assert scenario.text == BASE
    assert scenario.overrides == ("simulation.paths=7",)
    assert scenario.simulation.paths == 7
