"""The recipe for a model in docs/models.md, followed to the letter: one function, one line, its words."""

import ast
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from attribution import MODELS
from attribution.models import CATALOG
from tests.attribution.journey import path, tables
from tracking.language import words

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "models.md").read_text("utf-8")

FOLLOWED = """
import sys
from attribution import MODELS, attribute, feeders
assert MODELS[-1] == "latest-two"
for most in (100, 0):
    feeders.MOST_HELD = most
    for by in ("touch", "channel"):
        table = attribute("touches.parquet", "conversions.parquet", ["latest-two", "hybrid"][:1], by=by)
        print({row["channel"]: row["credit_minor"] for row in table.to_pylist() if row["credit_minor"]})
"""


def steps():
    blocks = re.findall(r"```python\n(.*?)```", DOCS[DOCS.index("## Your own model") :], re.DOTALL)
    return textwrap.dedent(blocks[0]), blocks[1].strip()


def test_a_model_made_by_the_recipe_is_known_to_memory_and_buckets(tmp_path):
    shutil.copytree(ROOT / "attribution", tmp_path / "attribution")
    function, line = steps()
    rules, models = (tmp_path / "attribution" / name for name in ("rules.py", "models.py"))
    rules.write_text(f"{rules.read_text('utf-8')}\n\n{function}", encoding="utf-8")
    text = models.read_text("utf-8")
    end = text.index("}\n", text.index("CATALOG: dict"))
    models.write_text(f"{text[:end]}    {line}\n{text[end:]}", encoding="utf-8")
    for name, table in zip(("touches", "conversions"), tables(path("fair > mail > call")), strict=True):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    done = subprocess.run(
        [sys.executable, "-c", FOLLOWED],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [ast.literal_eval(found) for found in done.stdout.splitlines()] == [
        {"mail": 5000, "call": 5000}
    ] * 4


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_its_words(name):
    assert f"`{name}`" in DOCS[: DOCS.index("## Common to all models")]
    assert re.search(rf"^### .*\b{name}\b", DOCS, re.MULTILINE)
    assert name in words._MODELS
    assert name in CATALOG
