#!/usr/bin/env bash
# Each patch here breaks one rule of the state machine, the engine or the pools. Applied to a copy, it must be killed by the unit
# tests of virtual servers, by the scenarios or by the simulator; a patch that no longer applies fails too, because then nobody knows what it would have shown.
set -u
cd "$(dirname "$0")/../.."
work=$(mktemp -d -t holdfast-mutants-XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree"
git ls-files -z src tests meson.build meson_options.txt | xargs -0 cp --parents -t "$work/tree"
cd "$work/tree"
build="$work/build"
# Only the pure rooms, quickly compiled: the same sources and the same tests.
meson setup "$build" . -Dpure_only=true -Dhardening=false --buildtype=plain "-Dcpp_args=-O1 -w" >"$work/log" || { tail -3 "$work/log"; exit 1; }
targets=(tests/check/check_test tests/pool/pool_test tests/engine/engine_test tests/scenario/holdfast-scenario tests/sim/holdfast-sim)
ninja -C "$build" "${targets[@]}" >"$work/log" 2>&1 || { tail -20 "$work/log"; echo "the unmutated tree does not build"; exit 1; }
# Only these: what else is in the units has its own mutants in the scenarios.
serve() {
    "$build/tests/check/check_test" && "$build/tests/pool/pool_test" && "$build/tests/engine/engine_test" --gtest_filter='Servers.*:Upstreams.*'
} >"$work/log" 2>&1
play() { timeout 60 "$build/tests/scenario/holdfast-scenario" tests/scenario >"$work/log" 2>&1; }
simulate() { timeout 120 "$build/tests/sim/holdfast-sim" --seeds 1..4000 >"$work/log" 2>&1; }
serve && play && simulate || { tail -20 "$work/log"; echo "the unmutated tree does not pass"; exit 1; }
killed=0 survived=0
for patch in tests/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    if ! patch -p1 --forward --fuzz=0 -s <"$patch" >"$work/log" 2>&1; then
        echo "BROKEN   $name: it no longer applies"; cat "$work/log"; survived=$((survived + 1))
        continue
    fi
    if ! ninja -C "$build" "${targets[@]}" >"$work/log" 2>&1; then
        echo "BROKEN   $name: it does not compile"; grep ' error: ' "$work/log" | head -3; survived=$((survived + 1))
    elif ! serve; then
        echo "killed   $name by unit tests"; killed=$((killed + 1))
    elif ! play; then
        echo "killed   $name by scenario"; killed=$((killed + 1))
    elif ! simulate; then
        echo "killed   $name by simulation: $(grep -o 'fails: .*' "$work/log" | head -1)"; killed=$((killed + 1))
    else
        echo "SURVIVED $name"; survived=$((survived + 1))
    fi
    patch -p1 -R -s <"$patch" >/dev/null 2>&1
done
echo "$killed mutants killed, $survived survived"
[ $survived = 0 ] && [ $killed -ge 20 ]
