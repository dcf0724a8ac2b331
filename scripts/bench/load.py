"""Load from another process: wrk for rates, and what it tells read back."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MISSING = "wrk is not installed. Install it: sudo apt-get install wrk"
#: Lua: the requests of a file, one a line (method, path, headers and body as JSON), each used by
#: one thread only, in turn; with ``once`` the thread stops when it has used its share.
_SCRIPT = """
local threads = {}
local number = 0
function setup(thread)
  thread:set("id", number)
  number = number + 1
  table.insert(threads, thread)
end
function init(args)
  requests, place = {}, 0
  local line = 0
  for text in io.lines("%(file)s") do
    if line %% %(threads)d == id then table.insert(requests, text) end
    line = line + 1
  end
  for i, text in ipairs(requests) do
    local method, path, headers, body = text:match("^(%%S+) (%%S+) (%%S*) (.*)$")
    local all = {}
    for name, value in headers:gmatch("([^:;]+):([^;]+)") do
      all[name] = value:gsub("%%%%20", " ")
    end
    requests[i] = wrk.format(method, path, all, body ~= "" and body or nil)
  end
end
function request()
  place = place + 1
  if place > #requests then
    if %(once)s then wrk.thread:stop() end
    place = 1
  end
  return requests[place]
end
function done(summary, latency, _)
  local told = '"requests":%%d,"seconds":%%.6f,"bad":%%d,"broken":%%d,"p50":%%.3f,"p99":%%.3f'
  io.write(string.format('\\nBENCH{' .. told .. '}\\n', summary.requests,
    summary.duration / 1e6, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


class LoadMissingError(Exception):
    """wrk is not here; the message says how to get it."""


@dataclass(frozen=True)
class Request:
    """One request. Header values have no semicolon; the body is one line."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def line(self) -> str:
        headers = ";".join(f"{name}:{value.replace(' ', '%20')}" for name, value in self.headers)
        return f"{self.method} {self.path} {headers} {self.body}"


@dataclass(frozen=True)
class Rate:
    """What a run came to: requests a second, milliseconds, and how many went wrong."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    wrong: int

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0


def rate_of(
    folder: Path,
    address: str,
    requests: Sequence[Request],
    *,
    connections: int = 32,
    seconds: float = 8,
    once: bool = False,
) -> Rate:
    """Send these requests as fast as they are answered. ``once`` sends none of them twice.

    Raises LoadMissingError.
    """
    program = shutil.which("wrk")
    if program is None:
        raise LoadMissingError(MISSING)
    file, script = folder / "requests.txt", folder / "load.lua"
    file.write_text("\n".join(each.line() for each in requests))
    values = {"file": file, "threads": 1, "once": "true" if once else "false"}
    script.write_text(_SCRIPT % values)
    command = [program, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s"]
    done = subprocess.run(
        [*command, "-s", str(script), address], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout.partition("BENCH")[2].splitlines()[0])
    return Rate(
        told["requests"], told["seconds"], told["p50"], told["p99"], told["bad"] + told["broken"]
    )
