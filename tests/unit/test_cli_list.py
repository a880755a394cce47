"""``cotfaith list``: every kind of name, at 80 columns, with plug-ins."""

import pytest

from cotfaith.cluster.cli.listing import KINDS
from cotfaith.workers.organisms.folder import packaged
from cotfaith.workers.probes import PROBES
from cotfaith.workers.strategies import STRATEGIES


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_begins_a_line(cli, kind):
    code, out, err = cli("list", kind)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    begun = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert begun == [line.name for line in KINDS[kind]()]


def test_what_there_is(cli):
    shown = " ".join(cli("list", "probes")[1].split())
    assert "early_answering Ask for the answer after each number of steps. Lanham et al. 2023, section 2.3." in shown
    assert {line.name for line in KINDS["organisms"]()} == set(packaged())
    assert [line.name for line in KINDS["strategies"]()] == list(STRATEGIES)


def test_an_unknown_kind(cli):
    code, _, err = cli("list", "probs")
    assert (code, "Unknown kind 'probs'. Did you mean 'probes'?" in err) == (2, True)


def test_plug_ins_say_where_they_come_from(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    things = dict(PROBES.things)
    (tmp_path / "listed_probe.py").write_text(
        "import dataclasses\nfrom cotfaith.workers.probes import PROBES\n"
        "from cotfaith.workers.registry import register\n"
        'def run(chain, ask, options):\n    """Ask [red]nothing[/].\n\n    More.\n    """\n'
        "register(dataclasses.replace(PROBES['no_cot'], name='mine', run=run))\n"
    )
    try:
        code, out, err = cli("list", "probes", "--plugin", "listed_probe")
    finally:
        PROBES.things.clear()
        PROBES.things.update(things)
    assert (code, err) == (0, "")
    shown = " ".join(out.split())
    assert "Ask [red]nothing[/]. Lanham et al. 2023, section 2.3. (module listed_probe)" in shown
    assert "More" not in out
