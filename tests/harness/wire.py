"""Logs compared with what the harness's taps saw pass in front of netrecord and behind it."""
from collections import Counter

from . import logs


def assert_recorded(root, front, behind=None, least=1):
    """Every log holds what its connection's tap in front saw, and together they hold what the taps behind saw.

    Where nobody reset, the bytes are equal. After a reset, bytes under way may be lost between the parties, never
    in netrecord: what the tap sent contains what was logged of the client, what was logged of the server contains
    what the tap got.
    """
    closes = logs.closed(root)
    by_client = {event["client"]: number for number, event in closes.items()}
    recorded = logs.load_all(root)
    compared = 0
    for tap in front.connections:
        number = by_client["{}:{}".format(*tap.local)]
        log = recorded[number]
        sent, got = bytes(tap.sent["c"]), bytes(tap.sent["s"])
        if tap.reset:
            assert sent.startswith(log.bytes("c")), f"{log.name}: client bytes that were never sent"
            assert log.bytes("s").startswith(got), f"{log.name}: server bytes that were not logged"
        else:
            assert log.bytes("c") == sent, f"{log.name}: client bytes differ"
            assert log.bytes("s") == got, f"{log.name}: server bytes differ"
        event = closes[number]
        assert (event["client_bytes"], event["server_bytes"]) == (len(log.bytes("c")), len(log.bytes("s")))
        assert event["lost"] == 0
        compared += 1
    assert compared == len(recorded) >= least
    if behind is not None and not any(tap.reset for tap in front.connections + behind.connections):
        logged = Counter((log.bytes("c"), log.bytes("s")) for log in recorded.values())
        passed = Counter((bytes(tap.sent["c"]), bytes(tap.sent["s"])) for tap in behind.connections)
        assert logged == passed, "what the server side saw is not what was logged"

