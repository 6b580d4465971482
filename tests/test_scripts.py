"""The components' scripts as files: whole, each under an address that changes with it, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ui import routes, scripts

NAMES = sorted(path.parent.name for path in scripts.ASSETS.glob("*/component.js"))


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(routes=routes.own()))


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_served_whole_and_for_good(client: TestClient, name: str) -> None:
    script = scripts.script(name)
    plain = client.get(f"/{script.address}", headers={"accept-encoding": "identity"})
    packed = client.get(f"/{script.address}", headers={"accept-encoding": "gzip"})
    assert plain.text == packed.text == script.text
    assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
    assert plain.headers["content-type"].startswith("text/javascript") and "immutable" in plain.headers["cache-control"]
    # Every file of the component is in it, after what all have in common.
    for path in (scripts.ASSETS / name).glob("*.js"):
        assert path.read_text(encoding="utf-8") in script.text
    assert script.text.startswith("const PALETTE = ")
    assert script.address in script.loader and len(script.loader) < 300


@pytest.mark.parametrize(
    "path",
    ["hero.0000000000000000.js", "hero.js", "hero", "_shared.js", "nobody.js", "..%2Fhero.js", "%2e%2e.js", "x%00.js"],
)
def test_no_other_file_is(client: TestClient, path: str) -> None:
    assert client.get(f"/_convlens/{path}").status_code == 404


def test_a_change_has_another_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("_shared", "one"):
        (tmp_path / folder).mkdir()
    (tmp_path / "one" / "component.js").write_text("export default () => 1;")
    monkeypatch.setattr(scripts, "ASSETS", tmp_path)
    before = scripts.script.__wrapped__("one").address
    (tmp_path / "one" / "component.js").write_text("export default () => 2;")
    assert scripts.script.__wrapped__("one").address != before


def test_they_lie_where_streamlits_pages_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes.st, "get_option", {"server.baseUrlPath": "/class/cnn/"}.get)
    below = TestClient(Starlette(routes=routes.own()))
    assert below.get(f"/class/cnn/{scripts.script('hero').address}").text == scripts.script("hero").text
    assert "cl-first" in below.get("/class/cnn/").text
    assert below.get("/").status_code == 404
