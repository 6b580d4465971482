"""Visitors without a browser: they speak Streamlit's own protocol to the real server, and count what they wait."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileUploaderState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from ui import failures

Path = tuple[int, ...]

_KEPT_RUNS = 2  # Streamlit's global.maxCachedMessageAge

# How each kind of native widget travels, by the name of its message.
_TRAVELS_AS = {
    "Button": "trigger_value",
    "ButtonGroup": "string_array_value",
    "Checkbox": "bool_value",
    "MultiSelect": "string_array_value",
    "NumberInput": "double_value",
    "Selectbox": "string_value",
    "TextInput": "string_value",
}


@dataclass
class _Shown:
    """An element on the page, and the run that drew it."""

    element: Any
    run: int
    fragment: str


@dataclass
class _Again:
    """A fragment that the page redraws by itself."""

    seconds: float
    due: float
    run: int


class Visitor:
    """One open page. Redraws fragments when the server asks for it, as a browser does, and draws nothing.

    Use as a context manager; leaving closes the tab.
    """

    def __init__(self, url: str, address: str = "", *, timeout: float = 60.0) -> None:
        """Opens `address` ("features?layer=features.3") and waits until the page is there."""
        self.timeout = timeout
        self.broken: list[str] = []
        """Exceptions that reached the page."""
        self._shown: dict[Path, _Shown] = {}
        self._again: dict[str, _Again] = {}
        self._values: dict[str, tuple[str, Any]] = {}
        self._known: dict[str, tuple[ForwardMsg, int]] = {}  # large messages by their hash, and the run that used them
        self._page, self._page_hash, self._query = "", "", ""
        self._fragments: tuple[str, ...]
        self._waits_for: str | None
        self._begun, self._fragments, self._waits_for, self._asked_at = 0, (), None, 0
        self._changed = threading.Condition()
        self._closed = False
        self._url, self._session = url, ""
        self._http = requests.Session()
        self._token = ""
        self._place: Any = None
        self._socket = connect(
            url.replace("http", "ws", 1) + "/_stcore/stream",
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=None,
            open_timeout=timeout,
        )
        for work in (self._listen, self._redraw):
            threading.Thread(target=work, daemon=True, name="visitor").start()
        self.first_seconds = self.open(address)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the tab."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._socket.close()
        self._http.close()

    # --- what a visitor does; each returns the seconds until the page had answered

    def open(self, address: str) -> float:
        """Go to a page by its address."""
        page, _, query = address.partition("?")
        with self._changed:
            self._page, self._page_hash, self._query = page, "", query
            self._values.clear()
            self._again.clear()
        return self._ask()

    def press(self, label: str) -> float:
        """Press the button that says so."""
        return self._ask(self.find("button", label).id, "trigger_value", True)

    def give(self, element: Any, value: Any) -> float:
        """Set a native widget to a value, which nobody checks here: options by their words, a slider by numbers."""
        kind = element.DESCRIPTOR.name
        if kind == "Slider":
            of_words = element.type == element.SELECT_SLIDER
            return self._ask(element.id, "string_array_value" if of_words else "double_array_value", value)
        return self._ask(element.id, _TRAVELS_AS[kind], value)

    def tell(self, component: str, event: str, value: Any) -> float:
        """Send an event of a component, found by a part of its key, with any value that JSON can carry."""
        return self._ask(*self.told(self.component(component), event, value))

    @staticmethod
    def told(component: Any, event: str, value: Any) -> tuple[str, str, str]:
        """The message by which a browser tells an event of a component."""
        events = json.dumps([{"event": event, "value": value}])
        return _events_of(component.id), "json_trigger_value", events

    def upload(self, label: str, name: str, content: bytes) -> float:
        """Give a file to the uploader with that label; the seconds until the page had read it."""
        begun = time.perf_counter()
        widget = self.find("file_uploader", label).id
        request = BackMsg()
        request.file_urls_request.request_id = "upload"
        request.file_urls_request.session_id = self._session
        request.file_urls_request.file_names.append(name)
        with self._changed:
            self._place = None
            self._socket.send(request.SerializeToString())
        self.until(lambda visitor: visitor._place is not None, "a place for the upload")
        place = self._place
        if not self._token:
            # The token against forged requests comes with the server's first answer.
            self._http.get(f"{self._url}/_stcore/health", timeout=self.timeout)
            self._token = self._http.cookies["_streamlit_xsrf"] or ""
        answer = self._http.put(
            self._url + place.upload_url,
            files={"file": (name, content)},
            headers={"X-Xsrftoken": self._token},
            timeout=self.timeout,
        )
        answer.raise_for_status()
        state = FileUploaderState()
        info = state.uploaded_file_info.add()
        info.name, info.size, info.file_id = name, len(content), place.file_id
        info.file_urls.CopyFrom(place)
        self._ask(widget, "file_uploader_state_value", state)
        return time.perf_counter() - begun

    # --- what a visitor sees

    @property
    def address(self) -> str:
        """What stands in the address bar now, after the host: "features?layer=features.3"."""
        return f"{self._page}?{self._query}" if self._query else self._page

    def component(self, key: str) -> Any:
        """The component whose key ends so."""
        found = [one for one in self.elements("bidi_component") if one.id.endswith(f"-{key}")]
        assert found, f"No component {key!r} on the page, which has {[c.id for c in self.elements('bidi_component')]}."
        return found[0]

    def find(self, kind: str, label: str) -> Any:
        """The element of a kind ("button", "selectbox", ...) with that label; AssertionError where there is none."""
        labels = []
        for element in self.elements(kind):
            if element.label == label:
                return element
            labels.append(element.label)
        raise AssertionError(f"No {kind} {label!r} on the page, which has {labels}.")

    def elements(self, kind: str) -> list[Any]:
        """All elements of a kind, in the page's order."""
        return [getattr(element, kind) for element in self._now() if element.WhichOneof("type") == kind]

    def text(self) -> str:
        """All words on the page, a line each element."""
        return "\n".join(
            getattr(element, kind).body for kind in ("markdown", "alert", "heading") for element in self._of(kind)
        )

    def until(self, seen: Callable[[Visitor], bool], what: str, timeout: float | None = None) -> float:
        """Wait for something on the page; the seconds that it took."""
        begun = time.monotonic()
        limit = begun + (timeout or self.timeout)
        while not seen(self):
            assert time.monotonic() < limit, f"{what} did not come within {limit - begun:.0f} s"
            with self._changed:
                self._changed.wait(0.1)
        return time.monotonic() - begun

    # --- the protocol

    def _of(self, kind: str) -> list[Any]:
        return [element for element in self._now() if element.WhichOneof("type") == kind]

    def _now(self) -> list[Any]:
        with self._changed:
            return [self._shown[path].element for path in sorted(self._shown)]

    def _ask(self, identity: str = "", as_type: str = "", value: Any = None) -> float:
        """Change a widget, and wait until the page, or the fragment that the widget stands in, is drawn anew."""
        begun = time.perf_counter()
        with self._changed:
            fragment = self._fragment_of(identity)
            self._waits_for, self._asked_at = fragment, self._begun
            self._send(fragment, {identity: (as_type, value)} if identity else {})
            if identity and "trigger" not in as_type:
                self._values[identity] = (as_type, value)
            limit = time.monotonic() + self.timeout
            while self._waits_for is not None:
                assert not self._closed, "The server closed the connection."
                assert time.monotonic() < limit, f"No answer within {self.timeout:.0f} s."
                self._changed.wait(0.2)
        return time.perf_counter() - begun

    def _fragment_of(self, identity: str) -> str:
        """The fragment that a widget stands in, "" for the page itself; the lock is held."""
        if identity:
            for shown in self._shown.values():
                own = _identity(shown.element)
                if own and identity in (own, _events_of(own)):
                    return shown.fragment
        return ""

    def _send(self, fragment: str, once: Mapping[str, tuple[str, Any]], *, by_itself: bool = False) -> None:
        """Ask for a run; the lock is held."""
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_script_hash, asked.page_name = self._query, self._page_hash, self._page
        asked.fragment_id, asked.is_auto_rerun = fragment, by_itself
        asked.cached_message_hashes.extend(self._known)
        for identity, (as_type, value) in {**self._values, **once}.items():
            state = asked.widget_states.widgets.add()
            state.id = identity
            if isinstance(value, FileUploaderState):
                getattr(state, as_type).CopyFrom(value)
            elif "array" in as_type:
                getattr(state, as_type).data.extend(value)
            else:
                setattr(state, as_type, value)
        self._socket.send(message.SerializeToString())

    def _redraw(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                now = time.monotonic()
                for fragment, again in self._again.items():
                    # As a browser: not while the page is on its way.
                    if now >= again.due and self._waits_for is None:
                        again.due = now + again.seconds
                        self._send(fragment, {}, by_itself=True)
                self._changed.wait(0.05)

    def _listen(self) -> None:
        try:
            for data in self._socket:
                assert isinstance(data, bytes)
                message = ForwardMsg()
                message.ParseFromString(data)
                with self._changed:
                    self._take(message)
                    self._changed.notify_all()
        except ConnectionClosed:
            pass
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "ref_hash":
            kept = self._known[message.ref_hash][0]
            self._known[message.ref_hash] = kept, self._begun
            path = message.metadata.delta_path
            message = ForwardMsg()
            message.CopyFrom(kept)
            message.metadata.delta_path[:] = path
            kind = message.WhichOneof("type")
        elif message.metadata.cacheable:
            self._known[message.hash] = message, self._begun
        if kind == "new_session":
            self._page_hash = message.new_session.page_script_hash
            self._fragments = tuple(message.metadata.run.fragment_ids)
            self._session = message.new_session.initialize.session_id or self._session
            self._begun += 1
        elif kind == "delta":
            self._draw(message)
        elif kind == "auto_rerun":
            seconds = message.auto_rerun.interval
            self._again[message.auto_rerun.fragment_id] = _Again(seconds, time.monotonic() + seconds, self._begun)
        elif kind == "navigation":
            self._page_hash = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "file_urls_response":
            self._place = message.file_urls_response.file_urls[0]
        elif kind == "script_finished":
            self._finish(message.script_finished)

    def _draw(self, message: ForwardMsg) -> None:
        path, delta = tuple(message.metadata.delta_path), message.delta
        if delta.WhichOneof("type") == "new_element":
            self._shown[path] = _Shown(delta.new_element, self._begun, delta.fragment_id)
            native = getattr(delta.new_element, delta.new_element.WhichOneof("type") or "empty")
            if getattr(native, "set_value", False):
                self._values.pop(native.id, None)  # the page has put another value there, and knows it
            if delta.new_element.WhichOneof("type") == "exception":
                self.broken.append(f"{delta.new_element.exception.type}: {delta.new_element.exception.message}")
            if failures.SIGN in delta.new_element.alert.body:
                self.broken.append(delta.new_element.alert.body)

    def _finish(self, status: int) -> None:
        if status == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            return  # the run that replaces it ends for both
        # What this run did not draw is gone; a fragment's run speaks of its own elements only.
        for path, shown in list(self._shown.items()):
            if shown.run < self._begun and (not self._fragments or shown.fragment in self._fragments):
                del self._shown[path]
        if not self._fragments:
            # As long as a browser keeps them.
            self._known = {name: kept for name, kept in self._known.items() if kept[1] > self._begun - _KEPT_RUNS}
            self._again = {name: again for name, again in self._again.items() if again.run == self._begun}
        # A run that was under way when the visitor asked is not the answer.
        answers = self._begun > self._asked_at
        if answers and self._waits_for is not None and self._waits_for in (self._fragments or ("", self._waits_for)):
            self._waits_for = None


def _identity(element: Any) -> str:
    """The widget that an element is, "" for none."""
    return str(getattr(getattr(element, element.WhichOneof("type") or "empty", None), "id", ""))


def _events_of(component: str) -> str:
    """The hidden widget through which a component's events travel."""
    return f"$$STREAMLIT_INTERNAL_KEY_{component}__events"
