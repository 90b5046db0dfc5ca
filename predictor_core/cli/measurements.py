"""``nn-meter measurements convert``: logs of benchmark tools in, one measurements file out."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> argparse.ArgumentParser:
    """Add the subcommand, and return its parser."""
    parser = commands.add_parser("measurements", help="turn logs of benchmark tools into measurements")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    convert: argparse.ArgumentParser = actions.add_parser(
        "convert",
        help="read logs, write a measurements file",
        description="Read the output of TFLite's benchmark_model, OpenVINO's benchmark_app, trtexec, "
        "ncnn's benchncnn, MNN's benchmark, profiles of ONNX Runtime and perf.yaml files of AI Hub; "
        "write measurements.",
    )
    convert.add_argument("logs", nargs="+", metavar="LOG", help="files that a tool wrote or printed")
    convert.add_argument("--output", required=True, metavar="FILE.csv", help="measurements file to write")
    convert.add_argument("--models", metavar="FOLDER", help="where the models are that the logs name")
    convert.add_argument("--environment", metavar="TEXT", help="what to call device and runtime")
    convert.add_argument(
        "--only", metavar="TEXT", help="leave out rows whose environment, as the log has it, lacks this text"
    )
    return convert


def run(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    from pathlib import Path

    from predictor_core.cli.console import FAILED, describe, log
    from predictor_core.errors import PredictorError
    from predictor_core.measuring.logs import read_log, to_rows, totals
    from predictor_core.measuring.measurements import write_measurements

    failed = False
    logged = []
    for path in arguments.logs:
        try:
            found = read_log(path)
        except PredictorError as error:
            failed = True
            log(f"error: {describe(error, arguments.debug)}")
            continue
        logged += [each for each in found if (arguments.only or "").lower() in each.environment.lower()]
        if arguments.verbose:
            for each in found:
                shares = [f"{kind} {ms:.3g} ms ({count})" for kind, count, ms in totals(each.ops)[:6]]
                log(f"{path}: {each.model}: {each.latency_ms:.6g} ms; {', '.join(shares)}".rstrip("; "))
    if not logged:
        log("error: no measurement in the logs; nothing is written")
        return FAILED
    output = Path(arguments.output)
    rows, missing = to_rows(logged, arguments.models, output.parent, environment=arguments.environment)
    write_measurements(output, rows)
    for row in rows:
        print(f"[RESULT] measured latency for {row.model}: {row.latency_ms:.6g} ms")
    if missing:
        log(
            f"warning: {len(missing)} models are known by name only ({', '.join(missing[:5])}); "
            "--models FOLDER says where their files are"
        )
    log(f"{output}: {len(rows)} measurements")
    return FAILED if failed else 0
