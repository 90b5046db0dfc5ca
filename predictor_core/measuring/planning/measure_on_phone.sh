#!/bin/sh
# Times the models of this folder on an Android phone with TensorFlow Lite's benchmark_model, in the order of
# plan.csv. Stop it whenever you like: what is done is kept, and another run goes on with the rest.
#
#   ./measure_on_phone.sh path/to/benchmark_model        (the build for the phone's processor)
#
# Then:  nn-meter measurements convert logs/*.log --models . --output measurements.csv
#
# Variables: THREADS (1), CPUS (mask for taskset, such as 80 for core 7; none if left out), RUNS (50),
# PAUSE (seconds between models, 1), OPTIONS (more options of benchmark_model, such as --use_gpu=true),
# ADB (adb), ANDROID_SERIAL (which phone).
set -u
cd "$(dirname "$0")" || exit 1

tool=${1:-${BENCHMARK_MODEL:-benchmark_model}}
adb=${ADB:-adb}
threads=${THREADS:-1}
remote=/data/local/tmp/nn-meter
fail() { echo "measure_on_phone: $1" >&2; exit 1; }

[ -f "$tool" ] || fail "no file $tool; name the benchmark_model that was built for the phone"
[ -f plan.csv ] || fail "no plan.csv here; nn-meter plan writes it"
[ "$("$adb" get-state 2>/dev/null </dev/null)" = device ] || fail "no phone; see: $adb devices"

"$adb" shell "mkdir -p $remote" </dev/null || fail "can't make $remote on the phone"
"$adb" push "$tool" $remote/benchmark_model </dev/null >/dev/null || fail "can't copy benchmark_model to the phone"
"$adb" shell "chmod 755 $remote/benchmark_model" </dev/null || fail "can't make benchmark_model executable"

mkdir -p logs
pin=
[ -n "${CPUS:-}" ] && pin="taskset $CPUS "
done=0 failed=0
while IFS=, read -r name _; do
  [ "$name" = name ] && continue
  if [ ! -f "$name.tflite" ]; then
    echo "$name: no .tflite file, left out" >&2
    continue
  fi
  [ -f "logs/$name.log" ] && { done=$((done + 1)); continue; }
  "$adb" push "$name.tflite" $remote/ </dev/null >/dev/null || fail "can't copy $name.tflite to the phone"
  "$adb" shell "$pin$remote/benchmark_model --graph=$remote/$name.tflite --num_threads=$threads \
--num_runs=${RUNS:-50} ${OPTIONS:-}" </dev/null >"logs/$name.part" 2>&1
  "$adb" shell "rm -f $remote/$name.tflite" </dev/null
  if grep -q 'timings in us' "logs/$name.part"; then
    mv "logs/$name.part" "logs/$name.log"
    done=$((done + 1))
    echo "$name: $(sed -n 's/.*Inference (avg): *\([0-9.e+]*\).*/\1/p; s/.*no stats: *//p' "logs/$name.log" | tail -1) us"
  elif [ "$("$adb" get-state 2>/dev/null </dev/null)" != device ]; then
    fail "the phone is gone; connect it and run this again"
  else
    failed=$((failed + 1))
    echo "$name: failed, see logs/$name.part" >&2
  fi
  sleep "${PAUSE:-1}"
done <plan.csv
"$adb" shell "rm -rf $remote" </dev/null
echo "$done models are timed, $failed failed; next:"
echo "  nn-meter measurements convert logs/*.log --models . --output measurements.csv"
[ "$failed" -eq 0 ]
