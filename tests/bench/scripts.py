"""Rows of scripts: connections that are routed by their first byte, beside haproxy with an ACL and with Lua; bytes that
are rewritten, beside haproxy's Lua filter; and what a connection costs that a script has routed and then leaves alone."""

import os
import subprocess
import tempfile

from peers import Failed, Haproxy, Netrecord

ROWS = ["route", "rewrite-up", "rewrite-down", "routed-bulk"]

ROUTE = """
function route(data)
  if data:byte() == 82 then return "127.0.0.1:%(port)d" end
  return { close = true }
end
"""
# every 256th byte of the benchmark's is changed, the length stays: the server counts, and netrecord's logs are what it wrote
CLIENT_DATA = 'function client_data(data) return (data:gsub("~", "_")) end\n'
SERVER_DATA = 'function server_data(data) return (data:gsub("~", "_")) end\n'
ROUTE_ALL = 'function route(data) return "127.0.0.1:%(port)d" end\n'

HA_ACL = """
listen relay
  bind 127.0.0.1:%(listen)d
  tcp-request inspect-delay 10s
  tcp-request content accept if { req.len gt 0 }
  use_backend behind if { req.payload(0,1) -m str R }
backend behind
  server behind 127.0.0.1:%(port)d
"""
HA_FETCH = """
core.register_fetches("whither", function(txn)
  local data = txn.req:dup()
  if data and data:byte() == 82 then return "behind" end
  return "nowhere"
end)
"""
HA_LUA = HA_ACL.replace("behind if { req.payload(0,1) -m str R }", "%%[lua.whither]") + "backend nowhere\n"
HA_FILTER = """
local rewriter = { id = "rewriter", flags = 0 }
rewriter.__index = rewriter
function rewriter:new()
  return setmetatable({}, rewriter)
end
function rewriter:start_analyze(txn, channel)
  if channel:is_resp() == %(answers)s then filter.register_data_filter(self, channel) end
end
function rewriter:tcp_payload(txn, channel)
  local data = channel:data()
  if type(data) == "string" and #data > 0 then channel:set((data:gsub("~", "_"))) end
end
core.register_filter("rewriter", rewriter, function(made, arguments) return made end)
"""
HA_REWRITE = """
listen relay
  bind 127.0.0.1:%(listen)d
  filter lua.rewriter
  server behind 127.0.0.1:%(port)d
"""


class ScriptedHaproxy(Haproxy):
    """A configuration with an optional Lua file; buffers as large as netrecord's reads."""

    def __init__(self, name, config, lua="", answers=False, bufsize=None):
        super().__init__()
        self.name, self.config, self.lua, self.answers, self.bufsize = name, config, lua, answers, bufsize

    def arguments(self, port, server_port):
        script = os.path.join(self.folder, "haproxy.lua")
        with open(script, "w", encoding="ascii") as file:
            file.write(self.lua % {"answers": str(self.answers).lower()} if self.lua else "")
        path = os.path.join(self.folder, "haproxy.cfg")
        with open(path, "w", encoding="ascii") as config:
            config.write("global\n  nbthread 1\n  maxconn 6000\n")
            if self.bufsize:
                config.write("  tune.bufsize %d\n" % self.bufsize)
            if self.lua:
                config.write("  lua-load %s\n" % script)
            config.write("defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 10m\n  timeout server 10m\n")
            config.write(self.config % {"listen": port, "port": server_port})
        return ["haproxy", "-db", "-f", path]


class ScriptedNetrecord(Netrecord):
    def __init__(self, build, name, lua):
        super().__init__(build)
        self.name, self.lua = name, lua

    def arguments(self, port, server_port):
        words = super().arguments(port, server_port)
        if self.lua is None:
            return words
        script = os.path.join(self.folder, "script.lua")
        with open(script, "w", encoding="ascii") as file:
            file.write(self.lua % {"port": server_port} if "%(port)d" in self.lua else self.lua)
        return [*words[:1], "-s", script, *words[1:]]


def peers_of(row, build):
    """Who takes part; what is compared comes first."""
    if row == "route":
        return [ScriptedNetrecord(build, "netrecord", ROUTE), ScriptedHaproxy("haproxy ACL", HA_ACL),
                ScriptedHaproxy("haproxy Lua", HA_LUA, HA_FETCH)]
    if row == "routed-bulk":
        return [ScriptedNetrecord(build, "netrecord", ROUTE_ALL), ScriptedNetrecord(build, "no script", None)]
    down = row == "rewrite-down"
    return [ScriptedNetrecord(build, "netrecord", SERVER_DATA if down else CLIENT_DATA),
            ScriptedHaproxy("haproxy Lua", HA_REWRITE, HA_FILTER, down),
            ScriptedHaproxy("ha-256k Lua", HA_REWRITE, HA_FILTER, down, 262144)]


METRICS = [("route", "conn/s"), ("route cpu", "us each"), ("rewrite-up", "MB/s"), ("rewrite-up cpu", "s/GB"),
           ("rewrite-down", "MB/s"), ("rewrite-down cpu", "s/GB"), ("routed-bulk", "MB/s"), ("routed-bulk cpu", "s/GB")]


def note(bench, metric, peer, value):
    bench.results.setdefault(("script " + metric, peer.name), []).append(value)


def load(bench, peer, row, port):
    """Make the load; notes what it took."""
    index = bench.index(peer)
    before = peer.cpu()
    if row == "route":
        got = bench.generate("connect", port, 32, bench.options.milliseconds, 16000, index=index)
        if got["failed"] or got["hung"]:
            raise Failed("%d failed, %d hung" % (got["failed"], got["hung"]))
        note(bench, row, peer, got["connections"] / got["seconds"])
        note(bench, row + " cpu", peer, (peer.cpu() - before) / got["connections"] * 1e6)
        return
    got = bench.generate("bulk", port, "down" if row == "rewrite-down" else "up", 1, bench.options.size // 4, index=index)
    note(bench, row, peer, got["bytes"] / got["seconds"] / 1e6)
    note(bench, row + " cpu", peer, (peer.cpu() - before) / (got["bytes"] / 1e9))


def measure(bench, row):
    for peer in peers_of(row, os.path.abspath(bench.options.build)):
        if peer.missing() or (peer.name, row) in bench.failed:
            continue
        with tempfile.TemporaryDirectory(dir=bench.options.folder) as folder:
            server = subprocess.Popen([bench.load, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            try:
                port = peer.start(folder, int(server.stdout.readline()))
                try:
                    load(bench, peer, row, port)
                finally:
                    peer.stop()
            except Failed as failure:
                bench.remark("%s, %s: FAILED: %s" % (peer.name, row, failure))
                bench.failed.add((peer.name, row))
            finally:
                server.stdin.close()
                server.wait()


def tell(bench, number):
    """Medians, and netrecord's ratio to each."""
    print("\nScripts\n")
    for metric, unit in METRICS:
        row = metric.split(" ")[0]
        names = [peer.name for peer in peers_of(row, bench.options.build)]
        own = bench.median("script " + metric, names[0])
        if own is None:
            continue
        print("%-18s %-9s %-10s%10s" % (metric, unit, names[0], number(own)))
        for name in names[1:]:
            other = bench.median("script " + metric, name)
            if other:
                print("%-18s %-9s %-10s%10s   ratio %s" % ("", "", name, number(other), number(own / other)))
