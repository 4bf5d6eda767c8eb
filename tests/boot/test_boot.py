"""holdfast under a really booted systemd: READY, STATUS, unit tracker, journal, reload, watchdog, adoption, stop."""

from __future__ import annotations

import re

import pytest


@pytest.mark.parametrize("step", ["setup", "start", "rights", "password", "unit_tracker", "restart", "helpers", "script_users", "probe_rights", "helpers_killed", "helpers_hang",
                                  "no_socket", "metrics", "journal", "reload", "upstream", "killed", "watchdog", "stop", "cut_short", "unit_file"])
def test_every_step_ran(booted, step):
    assert f"broken:{step}" not in booted, booted[f"broken:{step}"]


def test_start_waits_for_ready_and_status_is_a_line_for_people(booted):
    assert booted["start_seconds"] < 5
    assert re.search(r"web is master", booted["status_text"]), booted["status_text"]


def test_the_daemon_runs_without_root(booted):
    assert booted["user"] == "holdfast"


def test_busctl_shows_typed_properties(booted):
    for member, signature in ((".State", "s"), (".VirtualRouterId", "y"), (".Addresses", r"a\(sss\)"), (".Counters", r"a\{st\}")):
        assert re.search(rf"^{re.escape(member)}\s+property\s+{signature}\s", booted["introspect"], re.MULTILINE), member
    assert "/org/holdfast1/instance/web" in booted["tree"]


def test_holdfastctl_status_names_what_matters(booted):
    for word in ("web", "master", "192.0.2.10/24", "nginx"):
        assert word in booted["holdfastctl"]


def test_the_status_ends_with_the_newest_of_the_journal(booted):
    usual, two, none = booted["status_lines"]
    assert "holdfastd[" in usual.splitlines()[-1] and "web" in usual, usual
    assert len(two.splitlines()) == 2 and usual.endswith(two)
    assert "holdfastd[" not in none


def test_the_log_of_an_instance_comes_with_cause_and_cure(booted):
    assert "web: backup -> master" in booted["log"] or "web is master" in booted["log"], booted["log"]
    assert "master: this host serves the addresses" in booted["log"], "the catalog"


def test_everybody_may_look_and_only_root_may_command(booted):
    assert booted["nobody_reads"] == 's "master"'
    status, text = booted["nobody_commands"]
    assert status != 0 and re.search(r"[Dd]enied|not allowed|AccessDenied", text), text


def test_systemctl_sets_what_is_logged(booted):
    assert (booted["log_level"], booted["log_target"]) == ("debug", "journal")
    assert re.search(r"on /org/holdfast1 by user 65534 \(:1\.\d+\): .* needs org\.holdfast1\.reload, for which polkit wants a password",
                     booted["refused"]), booted["refused"]


def test_a_password_is_asked_for_at_a_terminal(booted):
    status, text = booted["password_right"]
    assert status == 0 and "Password:" in text and "AUTHENTICATION COMPLETE" in text, text
    status, text = booted["password_wrong"]
    assert status == 4 and "Password:" in text and "nobody has given user 1 the password" in text, text


def test_no_password_is_asked_for_where_nobody_sits(booted):
    for key in ("password_never", "password_no_terminal"):
        status, text = booted[key]
        assert status == 4 and "Password:" not in text and "polkit wants a password" in text, (key, text)


def test_the_unit_tracker_reacts_at_once(booted):
    # Not a figure: the wait is busctl's own time. It must be far from any polling interval.
    assert booted["unit_to_fault_ms"] < 900
    assert "nginx" in booted["fault_reason"]


def test_scripts_run_in_the_units_sandbox_and_a_user_it_cannot_become_is_named(booted):
    assert booted["other"].startswith("cannot become user 'nobody': Operation not permitted"), booted["other"]
    assert "script-users.conf" in booted["other"]
    assert booted["told"][:4] == ["BACKUP", "MASTER", "FAULT", "BACKUP"], booted["told"]


def test_the_shipped_drop_in_lets_scripts_run_as_their_users(booted):
    assert booted["other_as_nobody"] == "up"


def test_the_shipped_drop_in_gives_probes_marks_and_low_ports_and_nothing_more(booted):
    rights = dict(line.split(":\t") for line in booted["mark_rights"])
    assert rights.pop("NoNewPrivs") == "1"
    assert {int(each, 16) for each in rights.values()} == {1 << 10 | 1 << 13}, rights  # CAP_NET_BIND_SERVICE, CAP_NET_RAW


HELPERS = ("holdfast-prober", "holdfast-runner")


@pytest.mark.parametrize("unit", HELPERS)
def test_a_helper_is_a_unit_of_its_own_without_rights(booted, unit):
    assert f"/{unit}.service" in booted[f"cgroup:{unit}"]
    assert booted[f"user:{unit}"] == unit
    rights = dict(line.split(":\t") for line in booted[f"rights:{unit}"])
    assert rights.pop("NoNewPrivs") == "1" and set(rights.values()) == {"0" * 16} and len(rights) == 3, rights
    assert booted["children"] == "", "the daemon starts none itself"


def unnoticed(lost: dict) -> bool:
    return lost["seen"] == [["master", "y 120"]] and lost["unmoved"] and lost["deletions"] == []


@pytest.mark.parametrize("unit", HELPERS)
def test_a_killed_helper_is_back_within_a_second_and_nothing_moves(booted, unit):
    tries = booted[f"killed:{unit}"]
    assert all(unnoticed(each) for each in tries), tries
    assert tries[-1]["after"] < 1, tries


@pytest.mark.parametrize("unit", HELPERS)
def test_a_hung_helper_is_replaced_by_the_watchdog_and_nothing_moves(booted, unit):
    assert unnoticed(booted[f"hung:{unit}"]), booted[f"hung:{unit}"]
    assert "atchdog timeout" in booted[f"hung_result:{unit}"], booted[f"hung_result:{unit}"]


def test_a_socket_that_is_not_there_is_named_with_its_cure_and_no_child_stands_in(booted):
    assert re.search(r"holdfast-prober: cannot connect to /run/holdfast/prober: .*; systemctl status holdfast-prober\.socket; its last verdicts hold",
                     booted["no_socket"]), booted["no_socket"]
    assert booted["no_socket_held"] == ["y 120", ""]
    assert booted["no_socket_unmoved"]


def test_metrics_are_served_from_their_own_unit(booted):
    assert re.search(r'^holdfast_vrrp_state\{vrrp="web",.*state="master"\} 1$', booted["metrics"], re.MULTILINE), booted["metrics"][:2000]


def test_units_follow_the_state(booted):
    assert "broken:start" not in booted and "broken:unit_tracker" not in booted
    assert "onbackup" in booted["units_journal"]


def test_a_failed_unit_is_restarted_once_and_then_given_up(booted):
    assert booted["restart_state"] == ["master", "up"]
    active, detail = booted["restart_again"]
    assert active == "failed" and detail == "mended.service is failed"
    assert booted["restart_journal"].count("it is restarted once") == 1


def test_a_state_edge_is_a_structured_journal_entry_with_its_explanation(booted):
    edge = booted["journal_edge"]
    assert edge and edge["HOLDFAST_OLD_STATE"] == "master" and len(edge["MESSAGE_ID"]) == 32
    assert edge["_SYSTEMD_UNIT"] == "holdfast.service"
    assert "--" in booted["journal_explained"] or "░░" in booted["journal_explained"]


def test_reloads_keep_the_state_and_a_bad_file_changes_nothing(booted):
    assert booted["reload_kept_state"]
    state, active, errors = booted["bad_reload"]
    assert (state, active) == ("master", "active") and "vrid" in errors


def test_kill_minus_nine_is_adopted_by_the_restarted_daemon(booted):
    assert "adopted" in booted["killed_reason"]
    assert booted["killed_deletions"] == []
    assert booted["restarts"] == "1"


def test_the_watchdog_is_fed_by_the_loop_and_restarts_a_stopped_one(booted):
    assert booted["watchdog_fed"]
    assert "atchdog" in booted["watchdog_journal"]


def test_stop_removes_the_address_and_a_bad_file_is_not_retried(booted):
    assert booted["stopped"] == ["success", False]
    assert booted["helpers_outlive_the_daemon"] == [True, True]
    code, status, restarts, active = booted["bad_start"]
    assert (code != 0, status, restarts, active) == (True, "78", "0", "failed")


def test_a_stop_that_was_cut_short_is_cleared_up_before_the_lease_ends(booted):
    seconds, mark = booted["cut_short"]
    assert seconds < 2 and not mark, f"{seconds} s, of a lease of 5 s\n{booted['cut_short_journal']}"
    assert "192.0.2.10/24 was left by a stop that was cut short: removed" in booted["cut_short_journal"], booted["cut_short_journal"]


def test_the_unit_files_are_clean_and_tight(booted):
    assert "holdfast" not in booted["verify"], booted["verify"]
    assert {f"holdfast-{name}.{kind}" for name in ("prober", "runner", "metrics") for kind in ("socket", "service")} <= set(booted["units"])
    # The runner's scripts may use the network, and it sees all processes: nobody else does.
    for unit, most in (("holdfast", 2.0), ("holdfast-prober", 1.5), ("holdfast-metrics", 1.5), ("holdfast-runner", 1.6)):
        line = booted[f"security:{unit}"]
        exposure = re.search(r": ([0-9]+\.[0-9])", line)
        assert exposure and float(exposure[1]) <= most, line


def test_nginx_is_reloaded_by_systemd_and_what_it_refuses_is_taken_back(booted):
    assert booted["upstream_problem_before"] == 's ""'
    assert booted["upstream_state"] == 's "degraded"'
    assert "127.0.0.1:8082 down; # b" in booted["upstream_taken_back"], "the file that nginx has read"
    assert "server 127.0.0.1:8082; # b" in booted["upstream_file"]


def test_added_servers_are_kept_under_the_units_sandbox(booted):
    all_four = {"a": "file", "b": "file", "c": "runtime", "d": "persistent"}
    assert booted["added"] == booted["added_restarted"] == all_four
    assert set(booted["added_files"]) <= {"holdfast 600", ""}
    assert booted["added_removed"] == {"a": "file", "b": "file"}
