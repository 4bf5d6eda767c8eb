#!/usr/bin/env bash
# Each patch here breaks one rule of the state machine, the engine, the pools or the reader of HTTP replies. Applied to a copy, it must
# be killed by some unit tests, by the scenarios or by the simulator; a patch that no longer applies fails too, because then nobody
# knows what it would have shown. Two copies work side by side, one a core.
set -u
cd "$(dirname "$0")/../.."
work=$(mktemp -d -t holdfast-mutants-XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/1/tree"
git ls-files -z src tests meson.build meson_options.txt | xargs -0 cp --parents -t "$work/1/tree"
cd "$work/1/tree"
# Only the pure rooms, quickly compiled: the same sources and the same tests.
meson setup "$work/1/build" . -Dpure_only=true -Dhardening=false --buildtype=plain "-Dcpp_args=-O1 -g0 -w" \
    -Dcpp_link_args=-fuse-ld=gold >"$work/log" || { tail -3 "$work/log"; exit 1; }
quick=(tests/check/check_test tests/pool/pool_test tests/prober/http_reader_test tests/engine/engine_test
    tests/scenario/holdfast-scenario)
slow=(tests/sim/holdfast-sim)

compile() { ninja -C ../build "$@" >"$log" 2>&1; }
# Only these: what else is in the units has its own mutants in the scenarios.
serve() {
    ../build/tests/check/check_test && ../build/tests/pool/pool_test && ../build/tests/prober/http_reader_test &&
        ../build/tests/engine/engine_test --gtest_filter='Servers.*:Upstreams.*:LinkPlan.*:Extras.*:ManyRouters.*:Of/Restart.*:Guarded.*:Recorded.*:VirtualMac.*'
} >"$log" 2>&1
play() { timeout 60 ../build/tests/scenario/holdfast-scenario tests/scenario >"$log" 2>&1; }
simulate() { timeout 120 ../build/tests/sim/holdfast-sim --seeds 1..4000 >"$log" 2>&1; }

judge() { # judge PATCH, in a tree
    local name; name=$(basename "$1" .patch)
    if ! patch -p1 --forward --fuzz=0 -s <"$1" >"$log" 2>&1; then
        echo "BROKEN   $name: it no longer applies"; cat "$log"; return
    fi
    if ! compile "${quick[@]}"; then
        echo "BROKEN   $name: it does not compile"; grep ' error: ' "$log" | head -3
    elif ! serve; then
        echo "killed   $name by unit tests"
    elif ! play; then
        echo "killed   $name by scenario"
    elif ! compile "${slow[@]}"; then
        echo "BROKEN   $name: the simulator does not compile with it"; grep ' error: ' "$log" | head -3
    elif ! simulate; then
        echo "killed   $name by simulation: $(grep -o 'fails: .*' "$log" | head -1)"
    else
        echo "SURVIVED $name"
    fi
    patch -p1 -R -s <"$1" >/dev/null 2>&1
}

log=$work/log
compile "${quick[@]}" "${slow[@]}" || { tail -20 "$log"; echo "the unmutated tree does not build"; exit 1; }
serve && play && simulate || { tail -20 "$log"; echo "the unmutated tree does not pass"; exit 1; }
cp -a "$work/1" "$work/2"
patches=(tests/mutants/*.patch)
for half in 1 2; do
    (
        cd "$work/$half/tree" && log=$work/log$half
        for ((i = half - 1; i < ${#patches[@]}; i += 2)); do judge "${patches[i]}"; done
    ) >"$work/told$half" &
done
wait
sort -k 2 "$work"/told? | tee "$work/told"
killed=$(grep -c ^killed "$work/told")
echo "$killed mutants killed, $((${#patches[@]} - killed)) survived"
[ "$killed" = ${#patches[@]} ] && [ "$killed" -ge 20 ]
