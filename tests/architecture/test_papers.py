# SPDX-License-Identifier: Apache-2.0
"""The papers say what is so: links lead somewhere, and commands, settings, metrics and decisions exist."""

import re
import tomllib

import pytest
import typer
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from tests.architecture.papers import GUIDE, ROOT, Page, guide, pages
from tests.support import nginx
from wharfinger import cli, telemetry
from wharfinger.settings import load
from wharfinger.settings.environment import LEAVES, OLD_KEYS, PATH_VARIABLE, SECTIONS, is_injected
from wharfinger.settings.tree import Settings
from wharfinger.settings.unsupported import BY_KEY

DECISIONS = ROOT / "docs" / "decisions"
KEYS = {*LEAVES, *SECTIONS, *BY_KEY, *OLD_KEYS}
GROUPS = "|".join(sorted(Settings.__dataclass_fields__))
TRANSLATED = sorted(path.name for path in (GUIDE / "ko").glob("*.md"))


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_relative_link_leads_somewhere(page):
    for link in page.links:
        target, _, anchor = link.partition("#")
        path = (page.path.parent / target).resolve() if target else page.path
        assert path.exists(), link
        assert path.is_relative_to(ROOT), link
        assert not anchor or anchor in Page(path).anchors, link


def test_every_page_of_the_guide_can_be_reached_from_its_index():
    linked = {(GUIDE / link).resolve() for link in Page(GUIDE / "index.md").links}
    assert {path for path in GUIDE.glob("*.md") if path.name != "index.md"} <= linked


def test_every_decision_that_the_source_cites_exists():
    folders = (ROOT / name for name in ("src", "tests", "tools", "bench", "docs"))
    texts = [path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.[pm][yd]")]
    cited = {number for text in texts for number in re.findall(r"\bADR (\d{4})\b", text)}
    assert cited <= {path.name[:4] for path in DECISIONS.glob("[0-9]*.md")}


def test_every_decision_is_in_the_index_under_its_title():
    index = {cells[0]: cells[1] for cells in Page(DECISIONS / "README.md").rows("number")}
    written = {}
    for path in sorted(DECISIONS.glob("[0-9]*.md")):
        number, title = re.match(r"# (\d{4})\. (.+)\n", path.read_text(encoding="utf-8")).groups()
        assert path.name.startswith(f"{number}-")
        written[f"[{number}]({path.name})"] = title
    assert index == written
    numbers = [link[1:5] for link in index]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("path", sorted(DECISIONS.glob("[0-9]*.md")), ids=lambda path: path.name[:4])
def test_a_decision_has_its_three_parts_and_fits_a_page(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= 60


@pytest.mark.parametrize("page", [*guide(), *(Page(path) for path in sorted(ROOT.glob("*.md")))], ids=str)
def test_every_command_of_ours_exists(page):
    for line in page.code:
        for words in re.findall(r"(?:^|/bin/|\s)wharfinger ([a-z].*)", line):
            command, rest = typer.main.get_command(cli.app), words.split()
            while hasattr(command, "commands"):
                if command.invoke_without_command and (not rest or rest[0].startswith("--")):
                    break
                assert rest, f"{line}: which one?"
                name, *rest = rest
                assert name in command.commands, line
                command = command.commands[name]
            options = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
            assert {word for word in rest if word.startswith("--")} <= options, line


@pytest.mark.parametrize("page", [*guide(), *(Page(path) for path in sorted(ROOT.glob("*.md")))], ids=str)
def test_every_make_target_exists(page):
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for line in page.code for name in re.findall(r"^make ([a-z]+)", line)}
    assert named <= targets


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_setting_that_is_named_exists(page):
    for line in page.code:
        if match := re.fullmatch(rf"((?:{GROUPS})(?:\.[a-z0-9]+)+)(?:: (?!unknown key).+)?", line):
            key = match[1]
            known = key in KEYS or any(key.startswith(f"{leaf}.") for leaf in LEAVES)
            assert known or key.endswith((".py", ".md", ".lock")), line


@pytest.mark.parametrize("page", pages(), ids=str)
def test_every_variable_that_is_named_exists(page):
    known = {leaf.variable for leaf in LEAVES.values()} | {PATH_VARIABLE}
    known |= {f"REGISTRY_{key.replace('.', '_').upper()}" for key in (*SECTIONS, *BY_KEY)}
    for line in page.code:
        for name in re.findall(r"\bREGISTRY_[A-Z0-9_]+[A-Z0-9]\b", line):
            below = any(name.startswith(f"{one}_") for one in known)
            assert name in known or below or is_injected(name, "tcp://10.0.0.1:5000"), line


@pytest.mark.parametrize("page", guide(), ids=str)
def test_every_configuration_file_that_is_shown_can_be_loaded(page, tmp_path):
    path = tmp_path / "config.yml"
    for language, content in page.blocks:
        if language == "yaml":
            path.write_text(content)
            load(path, {})


def test_every_dependency_has_its_row_and_every_row_its_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    needed = [*project["project"]["dependencies"], *groups["build"], *groups["dev"]]
    names = {re.match(r"[A-Za-z0-9_.-]+", requirement)[0].lower() for requirement in needed}
    rows = Page(ROOT / "docs" / "dependencies.md").rows("package")
    assert sorted(cells[0].strip("`") for cells in rows) == sorted(names)
    assert all(len(cells) == 3 and cells[1] and cells[2] for cells in rows)


@pytest.mark.parametrize(("path", "head"), [("production.md", "metric"), ("ko/production.md", "메트릭")])
def test_the_guide_names_exactly_the_metrics_that_there_are(path, head):
    metrics = [one for one in vars(telemetry).values() if isinstance(one, MetricWrapperBase)]
    defined = {
        one._name + ("_total" if isinstance(one, Counter) else ""): [f"`{label}`" for label in one._labelnames]
        for one in metrics
    }
    shown = {cells[0].strip("`"): re.findall(r"`[a-z]+`", cells[2]) for cells in Page(GUIDE / path).rows(head)}
    assert shown == defined


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_readme_has_exactly_two_commands_for_setting_up(name):
    lines = [line for language, content in Page(ROOT / name).blocks for line in content.splitlines()]
    assert [line for line in lines if not line.startswith("docker ")] == ["make serve", "make test"]
    assert any(line.startswith("docker push localhost:5000/") for line in lines)


@pytest.mark.parametrize("name", TRANSLATED)
def test_a_translated_page_shows_the_same_commands_and_links_its_original(name):
    original, translation = Page(GUIDE / name), Page(GUIDE / "ko" / name)
    assert translation.blocks == original.blocks
    assert f"ko/{name}" in original.links
    assert f"../{name}" in translation.links
    assert translation.prose.count("\n#") == original.prose.count("\n#")


@pytest.mark.parametrize("path", ["nginx-and-tls.md", "ko/nginx-and-tls.md"])
def test_the_nginx_of_the_guide_is_the_one_that_is_tested(path):
    (shown,) = [content for language, content in Page(GUIDE / path).blocks if content.startswith("server {")]
    tested = nginx.CONFIG.replace("{{", "{").replace("}}", "}").partition("    server {")[2]
    assert _without_places(shown.partition("server {")[2]) == _without_places(tested)


@pytest.mark.parametrize("path", ["nginx-and-tls.md", "ko/nginx-and-tls.md"])
def test_the_passwords_of_nginx_are_those_that_are_tested(path):
    (shown,) = [content for _, content in Page(GUIDE / path).blocks if content.startswith("auth_basic ")]
    assert shown.strip() == nginx.PASSWORDS.format(folder="/etc/nginx").replace("/users", "/registry.users").strip()


def _without_places(text):
    """The directives, without those that say where things are."""
    own = ("listen", "server_name", "ssl_certificate", "proxy_pass ")
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line not in {"", "}"} and not line.startswith(own)]
