"""One table from two files: what keepalived programs from its configuration, and holdfast from the same one in its own words."""

from __future__ import annotations

import pytest
from world import wait_for

pytestmark = pytest.mark.kernel("ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_sh", "ip_vs_mh", "ip_vs_sed")

REALS = "real_server 10.77.0.11 8080 { weight 3 }\n  real_server 10.77.0.12 8080 { weight 2 }"
OURS = "{a: {address: '10.77.0.11:8080', weight: 3}, b: {address: '10.77.0.12:8080', weight: 2}}"

# name: keepalived's file, holdfast's virtual servers
CASES = {
    "nat": (
        f"virtual_server 10.77.0.100 80 {{\n  lb_algo wrr\n  lb_kind NAT\n  protocol TCP\n  {REALS}\n}}\n",
        f"web: {{address: '10.77.0.100:80', protocol: tcp, scheduler: wrr, real_servers: {OURS}}}"),
    "persistence": (
        "virtual_server 10.77.0.100 443 {\n  lb_algo lc\n  lb_kind DR\n  protocol TCP\n  persistence_timeout 60\n"
        "  persistence_granularity 255.255.255.0\n  real_server 10.77.0.11 443 { weight 1\n uthreshold 100\n lthreshold 50 }\n}\n",
        "web: {address: '10.77.0.100:443', protocol: tcp, scheduler: lc, forwarding: dr, persistence: 60s, persistence_prefix: 24,\n"
        "       real_servers: {a: {address: '10.77.0.11:443', upper_threshold: 100, lower_threshold: 50}}}"),
    "every_port": (
        "virtual_server 10.77.0.100 0 {\n  lb_algo rr\n  lb_kind DR\n  protocol UDP\n  persistence_timeout 300\n"
        "  real_server 10.77.0.11 0 { weight 1 }\n}\n",
        "all: {address: '10.77.0.100', protocol: udp, scheduler: rr, forwarding: dr, persistence: 5min, real_servers: {a: {address: 10.77.0.11}}}"),
    "one_packet": (
        "virtual_server 10.77.0.100 53 {\n  lb_algo rr\n  ops\n  lb_kind NAT\n  protocol UDP\n  real_server 10.77.0.11 53 { weight 1 }\n}\n",
        "dns: {address: '10.77.0.100:53', protocol: udp, scheduler: rr, one_packet: on, real_servers: {a: {address: '10.77.0.11:53'}}}"),
    "flags": (
        "virtual_server 10.77.0.100 80 {\n  lb_algo sh\n  sh-port\n  sh-fallback\n  lb_kind DR\n  protocol TCP\n"
        "  real_server 10.77.0.11 80 { weight 1 }\n}\n",
        "web: {address: '10.77.0.100:80', protocol: tcp, scheduler: sh, scheduler_flags: [sh-port, sh-fallback], forwarding: dr,\n"
        "       real_servers: {a: {address: '10.77.0.11:80'}}}"),
    "mark": (
        "virtual_server fwmark 7 {\n  lb_algo sed\n  lb_kind DR\n  protocol TCP\n  real_server 10.77.0.11 0 { weight 4 }\n}\n",
        "web: {mark: 7, protocol: tcp, scheduler: sed, forwarding: dr, real_servers: {a: {address: 10.77.0.11, weight: 4}}}"),
    "ipv6": (
        "virtual_server fd77::100 80 {\n  lb_algo wlc\n  lb_kind TUN\n  protocol TCP\n  real_server fd77::11 80 { weight 1 }\n}\n",
        "web: {address: '[fd77::100]:80', protocol: tcp, scheduler: wlc, forwarding: tunnel, real_servers: {a: {address: '[fd77::11]:80'}}}"),
    "tunnels": (
        "virtual_server 10.77.0.100 80 {\n  lb_algo rr\n  lb_kind TUN\n  protocol TCP\n"
        "  real_server 10.77.0.11 80 { weight 1\n lvs_method TUN type gue port 6080 }\n"
        "  real_server 10.77.0.12 80 { weight 1\n lvs_method TUN type gre csum }\n}\n",
        "web: {address: '10.77.0.100:80', protocol: tcp, scheduler: rr, forwarding: tunnel, real_servers: {\n"
        "       a: {address: '10.77.0.11:80', tunnel: {kind: gue, port: 6080}}, b: {address: '10.77.0.12:80', tunnel: {kind: gre, checksum: full}}}}"),
    "group": (
        "virtual_server_group g {\n  10.77.0.100-102 80\n  10.77.0.110 8000\n  fwmark 9\n}\n"
        f"virtual_server group g {{\n  lb_algo wrr\n  lb_kind NAT\n  protocol TCP\n  {REALS}\n}}\n",
        f"g: {{addresses: ['10.77.0.100-10.77.0.102:80', '10.77.0.110:8000'], protocol: tcp, scheduler: wrr, real_servers: {OURS}}}\n"
        f"  m: {{mark: 9, protocol: tcp, scheduler: wrr, real_servers: {OURS}}}"),
    "sorry": (  # the one server refuses connections
        "virtual_server 10.77.0.100 80 {\n  lb_algo rr\n  lb_kind NAT\n  protocol TCP\n  alpha\n  delay_loop 1\n"
        "  sorry_server 10.77.0.200 80\n  real_server 10.77.0.11 80 { weight 1\n TCP_CHECK { connect_timeout 1 } }\n}\n",
        "web: {address: '10.77.0.100:80', protocol: tcp, scheduler: rr, alpha: on, sorry_server: '10.77.0.200:80',\n"
        "       check: {tcp: {}, interval: 1s, timeout: 1s}, real_servers: {a: {address: '10.77.0.11:80'}}}"),
}


def table(host) -> list[str]:
    return sorted(host.run("ipvsadm", "-Sn").splitlines())


@pytest.mark.parametrize("name", CASES)
def test_keepalived_and_holdfast_make_the_same_table(world, name):
    theirs, ours = CASES[name]
    host = world.add("lb1")
    host.ip("address", "add", "10.77.0.11/32", "dev", "lo")  # somebody refuses connections there at once

    keepalived = host.start_keepalived(theirs, "-C")
    wanted: list[str] = []

    def settled() -> bool:  # the sorry server comes behind the first check
        before, wanted[:] = list(wanted), table(host)
        return bool(wanted) and wanted == before and (name != "sorry" or any("10.77.0.200" in line for line in wanted))
    wait_for(settled, 15, "keepalived's table", every=0.5)
    keepalived.end()
    wait_for(lambda: not table(host), 10, "keepalived to take its table away")

    world.configure(f"instances: {{}}\nvirtual_servers:\n  {ours}\n")
    host.start_bus()
    host.start_holdfastd()
    wait_for(lambda: table(host) == wanted, 10, f"{wanted}, not {table(host)}")
