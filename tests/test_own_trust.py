"""Code that a scenario names is never run unasked; trusted, it does what its parameters say."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import stresscube as sc
from broken_scenarios import BASE
from own_code import MARKET, PATHS, POLICY, RULES, SCENARIO, write
from stresscube.cli.app import app
from stresscube.plan import make_plan
from stresscube.scenario import ScenarioError, loads
from stresscube.scenario.expand import axes, market_spec, policy_spec
from stresscube.scenario.trust import trusted

SPY = "\nfrom pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STRESSCUBE_DEBUG", raising=False)
    write(tmp_path)
    return tmp_path


def test_opening_a_scenario_runs_nothing(here: Path) -> None:
    """Nor does any command without --trust; each says in one sentence a key what would run."""
    scenario = write(here, RULES + SPY, MARKET + SPY)
    refusals = [
        f"stresscube: own.toml: {key}: is Python code, which may do whatever you may; read "
        f"my_{file}.py, then add --trust to run it (in Python: trust=True)"
        for key, file in ((PATHS, "market"), (POLICY, "rules"))
    ]
    for command in ("run", "check", "kernel"):
        done = CliRunner().invoke(app, [command, "own.toml"])
        assert done.exit_code == 2
        assert done.stderr.splitlines() == refusals
        assert done.stdout == ""
    for call in (make_plan, sc.run, sc.market, lambda s: policy_spec(s, {})):
        with pytest.raises(ScenarioError, match="trust=True"):
            call(scenario)
    with pytest.raises(ScenarioError, match="trust=True"):
        market_spec(scenario, {})
    assert not (here / "ran").exists()
    assert sorted(path.name for path in here.iterdir()) == [
        "my_market.py",
        "my_rules.py",
        "own.toml",
    ]
    assert make_plan(scenario, trust=True).cells == 18
    assert (here / "ran").exists()


def test_trust_of_what_names_no_code_does_nothing(here: Path) -> None:
    scenario = loads(BASE)
    assert trusted(scenario, trust=True) is scenario
    assert trusted(scenario, trust=False) is scenario


def test_parameters_are_swept(here: Path) -> None:
    scenario = trusted(write(here), trust=True)
    found = {axis.name: (axis.kind, axis.units, axis.values) for axis in axes(scenario)}
    assert found == {
        "factor": ("market", "1", (1.0, 1.5, 2.0)),
        "stop": ("policy", "1", (0.1, 0.2)),
        "wait": ("policy", "h", (0.0, 5 / 60, 1.0)),
    }
    spec = policy_spec(scenario, {"policy.parameters.wait": 0.5})
    step = 1 / 8760 / 60
    assert [(p.name, p.number(step)) for p in spec.parameters] == [("stop", 0.1), ("wait", 30.0)]
    point = {"market.parameters.factor": 1.25}
    assert [(p.name, p.value) for p in market_spec(scenario, point).parameters] == [
        ("factor", 1.25)
    ]


def test_parameters_are_swept_without_quotes_too(here: Path) -> None:
    bare = SCENARIO.replace('"policy.parameters.stop" =', "policy.parameters.stop =")
    assert bare != SCENARIO
    assert loads(bare).sweep == loads(SCENARIO).sweep


def test_code_that_computes_something_else_is_other_code(here: Path) -> None:
    """Whether its text has changed, or what it reads when it is run."""
    reads = RULES.replace(
        "START = Memory(1.0, 0.0)",
        "from pathlib import Path\n"
        "START = Memory(1.0, 0.0)\n"
        "SHARE = float(Path(__file__).with_name('share').read_text())",
    ).replace("(1.0 - stop)", "(SHARE - stop)")
    (here / "share").write_text("1.0")
    first = trusted(write(here, reads), trust=True).code
    again = trusted(write(here, reads), trust=True).code
    (here / "share").write_text("0.9")
    data = trusted(write(here, reads), trust=True).code
    text = trusted(write(here, reads + "# said again"), trust=True).code
    assert first == again
    assert len({code[1].rules for code in (first, data, text)}) == 3
    assert first[0] == data[0]  # the market's


def test_what_parameters_do_shows(here: Path) -> None:
    """Twice the volatility moves prices twice as far; who waits for an hour never trades."""
    scenario = write(here)
    paths = [
        sc.market(scenario, 50, {"market.parameters.factor": factor}, trust=True)["price"]
        for factor in (1.0, 2.0)
    ]
    ratio = float(paths[1].isel(time=-1).std()) / float(paths[0].isel(time=-1).std())
    assert ratio == pytest.approx(2.0, rel=0.05)  # the same words: only curvature differs
    cube = sc.open(sc.run(scenario, here / "own.run", trust=True))["summary"].to_dataset()
    assert float(abs(cube["turnover_mean"].sel(wait=1.0)).max()) == 0.0
    assert float(cube["turnover_mean"].sel(wait=0.0).min()) > 10.0
    assert cube.attrs["code"] == {"market.step": MARKET, "policy.step": RULES}


def test_verify_computes_again_what_the_run_was_planned_with(here: Path) -> None:
    """Only when told so; and whatever has become of the file, plan.json has the text."""
    run = sc.run(write(here, RULES + SPY), here / "own.run", trust=True)
    (here / "my_rules.py").write_text("gone")
    chunk = next((run / "cube.zarr" / "summary" / "sharpe").glob("c.*"))
    before = chunk.read_bytes()
    for option in (["--recompute", "2"], ["--repair"]):
        (here / "ran").unlink()
        chunk.write_bytes(b"" if option == ["--repair"] else before)
        command = ["verify", "own.run", *option]
        refused = CliRunner().invoke(app, command)
        assert refused.exit_code == 2
        assert [line.partition(" = ")[0] for line in refused.stderr.splitlines()] == [
            "stresscube: own, as in plan.json: market.step",
            "stresscube: own, as in plan.json: policy.step",
        ]
        advice = "read scenario.code in _control/plan.json, then add --trust to run it"
        assert refused.stderr.count(advice) == 2
        assert not (here / "ran").exists()
        done = CliRunner().invoke(app, [*command, "--trust"])
        assert done.exit_code == 0, done.output
        assert done.stdout.count("identical when recomputed") == (2 if "2" in option else 0)
    assert chunk.read_bytes() == before


def test_a_dim_may_not_be_a_number_of_the_cube(here: Path) -> None:
    text = SCENARIO.replace("stop", "sharpe")
    rules = RULES.replace("*, stop", "*, sharpe").replace("1.0 - stop", "1.0 - sharpe")
    scenario = write(here, rules, text=text.replace("start = 1.0, sharpe", "start = 1.0, stop"))
    with pytest.raises(ScenarioError) as caught:
        make_plan(scenario, trust=True)
    assert str(caught.value).endswith(
        "own.toml: sweep.policy.parameters.sharpe = [0.1, 0.2]: would be the "
        'dimension "sharpe", which is a number of the cube; give the parameter another name'
    )


def test_trusted_code_goes_to_other_processes_as_it_is(here: Path) -> None:
    """Whatever has become of its file: the scenario holds the text."""
    (here / "trusted").write_bytes(pickle.dumps(trusted(write(here), trust=True)))
    (here / "my_rules.py").write_text("gone")
    program = (
        "import pickle\n"
        "from stresscube.scenario.expand import policy_spec\n"
        "from stresscube_kernels.rules import is_known\n"
        "scenario = pickle.load(open('trusted', 'rb'))\n"
        "assert not is_known(scenario.code[1].rules)\n"
        "print(is_known(policy_spec(scenario, {}).rules))\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr
