"""Headless Chromium, driven by chromedriver over plain HTTP (W3C WebDriver)."""
import base64
import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from .proc import wait_until
from .services import accepts, free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"]


class Browser:
    """One window, of one session; `get` opens a file."""

    def __init__(self, folder, size=(1440, 900)):
        self.folder, self.size = Path(folder), size
        self.port = free_port()
        self.driver = self.session = None

    def __enter__(self):
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: accepts(self.port), "chromedriver listens")
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def begin(self):
        arguments = [*ARGUMENTS, f"--window-size={self.size[0]},{self.size[1]}", f"--user-data-dir={self.folder / 'profile'}"]
        wanted = {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        self.session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}}, root=True)["sessionId"]

    def __exit__(self, *_):
        try:
            if self.session:
                self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()

    def call(self, method, path, body=None, root=False):
        url = f"http://127.0.0.1:{self.port}" + ("" if root else f"/session/{self.session}") + path
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def get(self, path):
        self.call("POST", "/url", {"url": Path(path).as_uri()})

    def run(self, script, *arguments):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector):
        """What a reader sees of an element."""
        return self.run("return document.querySelector(arguments[0]).innerText", selector)

    def texts(self, selector):
        return self.run("return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)", selector)

    def data(self, name):
        """An attribute data-... of the timeline: what it says of its state."""
        return self.run("return document.getElementById('timeline').dataset[arguments[0]]", name)

    def element(self, selector):
        return self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.call("POST", f"/element/{self.element(selector)}/click")

    def type(self, selector, text):
        self.call("POST", f"/element/{self.element(selector)}/clear")
        self.call("POST", f"/element/{self.element(selector)}/value", {"text": text})

    def keys(self, text):
        """Keys pressed with nothing in particular in focus."""
        steps = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self.act({"type": "key", "id": "keys", "actions": steps})

    def pointer(self, *steps):
        """Steps such as ("move", x, y), "down", "up", in pixels of the window."""
        actions = []
        for step in steps:
            if step in ("down", "up"):
                actions.append({"type": f"pointer{step.capitalize()}", "button": 0})
            else:
                actions.append({"type": "pointerMove", "duration": 0, "x": int(step[1]), "y": int(step[2])})
        self.act({"type": "pointer", "id": "mouse", "actions": actions})

    def wheel(self, x, y, by):
        self.act({"type": "wheel", "id": "wheel", "actions": [{"type": "scroll", "x": int(x), "y": int(y), "deltaX": 0, "deltaY": by}]})

    def act(self, source):
        self.call("POST", "/actions", {"actions": [source]})

    def log(self, kind):
        """New lines of the log `browser` (the console) or `performance` (what the network did)."""
        return self.call("POST", "/se/log", {"type": kind})

    def requests(self):
        """URLs asked for since the last call."""
        events = [json.loads(line["message"])["message"] for line in self.log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def dark(self, on=True):
        feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": [feature]}})

    def screenshot(self, path):
        Path(path).write_bytes(base64.b64decode(self.call("GET", "/screenshot")))
