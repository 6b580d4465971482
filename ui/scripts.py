"""The components' scripts, served as files: a browser fetches each once, and no page's messages carry them.

Streamlit sends what it is given as text along with every mount. That was 50 kB for each of a page's four or five
components, hashed twice on the way; what it is given now is one line that imports the file.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from cnn_core import palette

ASSETS: Final = Path(__file__).resolve().parent.parent / "assets" / "components"
PATH: Final = "_convlens"


@dataclass(frozen=True)
class Script:
    """A component's whole script, and the address that changes with it."""

    text: str
    address: str

    @property
    def loader(self) -> str:
        """What stands for the script in a page: it is fetched beside the page, wherever that is served.

        What it has drawn is marked: before, an instrument stands there and hears no key.
        """
        return (
            f'const own = await import(new URL("{self.address}", document.baseURI).href);\n'
            "export default (given) => {\n"
            "  const end = own.default(given);\n"
            '  given.parentElement.getRootNode().host?.setAttribute("data-drawn", "");\n'
            "  return end;\n"
            "};\n"
        )


@cache
def shared() -> str:
    """What all components have in common: the colours, and the scripts of `_shared`."""
    table = json.dumps(palette.for_browser(), separators=(",", ":"))
    scripts = (path.read_text(encoding="utf-8") for path in sorted((ASSETS / "_shared").glob("*.js")))
    return f"const PALETTE = {table};\n" + "\n".join(scripts) + "\n"


@cache
def script(name: str) -> Script:
    """The script of the component in assets/components/<name>/."""
    folder = ASSETS / name
    # A large component is split: its other scripts come before component.js in the order of their names.
    paths = [*sorted(path for path in folder.glob("*.js") if path.name != "component.js"), folder / "component.js"]
    text = shared() + "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return Script(text, f"{PATH}/{name}.{sha256(text.encode()).hexdigest()[:16]}.js")


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(script(name).text.encode(), mtime=0)


def answer(request: Request) -> Response:
    """A script by its address; 404 for what no component has, or had in another version."""
    file = request.path_params["file"]
    name = file.partition(".")[0]
    known = name.isidentifier() and (ASSETS / name / "component.js").is_file()
    if not known or f"{PATH}/{file}" != script(name).address:
        return Response(status_code=404)
    headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(_packed(name), headers={**headers, "content-encoding": "gzip"}, media_type="text/javascript")
    return Response(script(name).text, headers=headers, media_type="text/javascript")
