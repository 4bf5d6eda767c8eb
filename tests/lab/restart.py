"""`./dev lab restart`: what a client and a peer notice of what systemd does to holdfast."""

from __future__ import annotations

import sys

import booted
from world import BUILD


def main() -> int:
    if why := booted.lacking():
        print(f"lab restart: {why}")
        return 77
    print("holdfast under a booted systemd, with nginx, a client (a request each 2 ms) and keepalived standing by ...", flush=True)
    found = booted.boot(BUILD, booted.HERE / "restart_inside.py", BUILD / "tests/lab/holdfast-poller")
    print(f"{'adverts':>8}  {'act':34} {'requests':>9} {'lost':>5} {'peer took over':>15} {'longest silence':>16}")
    for act in found["acts"]:
        print(f"{act['interval']:>8}  {act['act']:34} {act.get('requests', '-'):>9} {act.get('lost', '-'):>5} "
              f"{act['peer_took_over']:>15} " + (f"{act['silence'] * 1000:13.0f} ms" if "silence" in act else f"{'-':>16}"))
    broken = [text for name, text in found.items() if name.startswith("broken:")]
    print(*broken, sep="\n", end="")
    noticed = [act for act in found["acts"] if "lost" in act and (act["lost"] or act["peer_took_over"])]
    return 1 if broken or noticed else 0


if __name__ == "__main__":
    sys.exit(main())
