"""Program of the process that infers shapes: requests on stdin, answers on stdout, until stdin ends.

A request is the fields of `REQUEST` and a serialised ModelProto; an answer those of `ANSWER` and a serialised
GraphProto, or the text of an error. It runs as a script, so that nothing of this package is imported.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
import time
from typing import Any

#: Address space in bytes, processor time in seconds, whether to propagate data, bytes of the model.
REQUEST = struct.Struct("<QdBQ")
#: Whether shapes were inferred, processor time in seconds, bytes that follow.
ANSWER = struct.Struct("<BdQ")

#: Seconds without a request after which the process ends: it holds the memory of the onnx package.
_IDLE_S = 120.0


def main() -> None:
    """Answer requests; the arguments are where to import from."""
    sys.path[:] = sys.argv[1:]
    parent, asked_s = os.getppid(), [time.monotonic()]

    def watch() -> None:
        # A process that was forked off the parent may hold the other end of stdin for ever.
        while os.getppid() == parent and time.monotonic() < asked_s[0] + _IDLE_S:
            time.sleep(1.0)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    import onnx.shape_inference

    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        asked_s[0] = float("inf")
        memory, seconds, propagate, size = REQUEST.unpack(head)
        content = requests.read(size)
        start_s = time.process_time()
        _limit(memory, start_s + seconds)
        try:
            sound, answer = 1, _inferred(onnx, content, bool(propagate))
        except Exception as error:  # noqa: BLE001 - whatever onnx raises is told
            name = type(error).__name__
            # What comes in is a sound message: protobuf fails for want of memory alone.
            if name in ("MemoryError", "DecodeError") or "bad_alloc" in str(error):
                # In a process that has answered others, it is tried again in a new one.
                break
            sound, answer = 0, f"{type(error).__name__}: {error}"[:1000].encode("utf-8", "replace")
        answers.write(ANSWER.pack(sound, time.process_time() - start_s, len(answer)) + answer)
        answers.flush()
        asked_s[0] = time.monotonic()


def _inferred(onnx: Any, content: bytes, propagate: bool) -> bytes:
    model = onnx.ModelProto.FromString(content)
    graph = onnx.shape_inference.infer_shapes(model, data_prop=propagate).graph
    del graph.node[:], graph.initializer[:]
    return bytes(graph.SerializeToString())


def _limit(memory: int, processor_s: float) -> None:
    """Limit the memory of this process, and the processor time that it may have used by then."""
    try:
        import resource
    except ImportError:
        return
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, int(processor_s) + 1),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        try:
            resource.setrlimit(kind, (most if hard < 0 else min(most, hard), hard))
        except (OSError, ValueError):
            # A system without this limit.
            continue


if __name__ == "__main__":
    main()
