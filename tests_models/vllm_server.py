"""Serve a model folder with vLLM on the CPU, on loopback, while a block runs."""

import os
import socket
import sys
from contextlib import contextmanager
from subprocess import Popen, TimeoutExpired
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

START_SECONDS = 900
SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


@contextmanager
def vllm_served(folder, log):
    """Serve the model as "smol" while the block runs, and give the base URL, ending in /v1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # `vllm serve` looks up the version of a package named vllm, and this one is vllm-cpu.
    command = (
        f"-m vllm.entrypoints.openai.api_server --model {folder} --served-model-name smol "
        f"--dtype bfloat16 --max-model-len 2048 --max-num-seqs 16 --enforce-eager "
        f"--host 127.0.0.1 --port {port}"
    ).split()
    with (
        log.open("wb") as lines,
        Popen(
            [sys.executable, *command], stdout=lines, stderr=lines, env={**os.environ, **SETTINGS}
        ) as server,
    ):
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/health", server, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            try:
                server.wait(timeout=60)
            except TimeoutExpired:
                server.kill()


def wait_until_ready(url, server, log):
    """Return once the server answers; it says so in no other way."""
    end = monotonic() + START_SECONDS
    while True:
        try:
            with urlopen(url):
                return
        except URLError:
            said = log.read_text(errors="replace")[-2000:]
            assert server.poll() is None, f"the server did not start:\n{said}"
            assert monotonic() < end, f"not ready after {START_SECONDS} s:\n{said}"
            sleep(0.5)
