"""Serve a GGUF file with llama.cpp on loopback, until standard input ends.

    python tests_models/llama_server.py SmolLM2-135M-Instruct.Q4_1.gguf

The URL is the first line that is printed. Whoever started this holds the other end of standard
input: should they die, by any signal, it ends, and so does the server.
"""

import sys
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

SLOTS = 4
"""How many requests are answered at once."""
CONTEXT = 8192
"""Tokens that each of them has, which is all that SmolLM2 was trained for."""
ALIAS = "smol"
"""The model's name, as the server takes it."""


@contextmanager
def served(model, log):
    """Serve `model` in a program of its own while the block runs, and give it the URL."""
    command = [sys.executable, __file__, str(model)]
    with log.open("wb") as lines, Popen(command, stdin=PIPE, stdout=PIPE, stderr=lines) as server:
        try:
            url = server.stdout.readline().decode().strip()
            assert url, f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}"
            yield url
        finally:
            server.stdin.close()
            server.wait(timeout=30)


def main(model):
    """Serve `model` until standard input ends."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(Path(model).resolve(strict=True))
    params.model_alias = {ALIAS}
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * CONTEXT
    for threads in (params.cpuparams, params.cpuparams_batch):
        threads.n_threads = 2
        threads.poll = 0  # busy waiting stalls on a shared machine
    params.warmup = False
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
