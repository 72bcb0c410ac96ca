"""Resolve the newest versions of every dependency and write constraints/py3.*.txt.

One file per Python version, resolved for Linux and macOS from wheels alone, so that whatever is
pinned installs without a compiler on all of them. Run by `make constraints`; needs uv.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {
    "x86_64-manylinux_2_28": "linux",
    "aarch64-manylinux_2_28": "linux",
    "aarch64-apple-darwin": "darwin",
}
HEADER = "# Versions for Python {python}, Linux and macOS. Refresh with: make constraints\n"


def resolve(python: str, platform: str, extras: list[str]) -> dict[str, str]:
    """Return name -> version of everything that the project and its extras need."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--native-tls"]
    command += ["--python-version", python, "--python-platform", platform]
    command += ["--only-binary", ":all:", "--no-annotate", "--no-header", "--no-sources"]
    command += [f"--extra={extra}" for extra in extras] + [str(ROOT / "pyproject.toml")]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"constraints: no resolution for Python {python} on {platform}; see above")
    return dict(line.split("==") for line in done.stdout.split() if "==" in line)


def merge(per_platform: dict[str, dict[str, str]]) -> list[str]:
    """Return sorted pins: plain where every platform agrees, else one line for each system."""
    lines: list[str] = []
    names = sorted({name for pins in per_platform.values() for name in pins})
    for name in names:
        versions = {platform: pins.get(name) for platform, pins in per_platform.items()}
        if len(set(versions.values())) == 1:
            lines.append(f"{name}=={versions.popitem()[1]}")
            continue
        systems = {PLATFORMS[platform]: version for platform, version in versions.items()}
        if any(systems[PLATFORMS[platform]] != version for platform, version in versions.items()):
            sys.exit(f"constraints: {name} differs within one system: {versions}")
        lines += [
            f"{name}=={version} ; sys_platform == '{system}'"
            for system, version in sorted(systems.items())
            if version
        ]
    return lines


def main() -> None:
    """Write one file per Python version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = list(project["optional-dependencies"])
    for python in PYTHONS:
        pins = merge({platform: resolve(python, platform, extras) for platform in PLATFORMS})
        file = ROOT / "constraints" / f"py{python}.txt"
        file.write_text(HEADER.format(python=python) + "\n".join(pins) + "\n")
        print(f"{file.relative_to(ROOT)}: {len(pins)} versions")


if __name__ == "__main__":
    main()
