"""Runs a task in a process of its own and waits for it."""

import pickle
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from nvrc_components.errors import InputError
from nvrc_lightning.evaluation.bench.worker import EXIT_INPUT, Task

__all__ = ["run_apart"]

_CODE = "import sys; from nvrc_lightning.evaluation.bench.worker import main; sys.exit(main())"
_COMMAND = (sys.executable, "-c", _CODE)
_PATIENCE = 20.0
"""Seconds in which a step of training ends."""


def run_apart(task: Task, progress: bool) -> None:
    """Make a task's point in a process that ends with this one, however this one ends.

    Args:
        task: what to make.
        progress: pass on what the process prints: to the terminal as it is, elsewhere line by line.

    Raises:
        InputError: the input was at fault, or the process was killed.
        RuntimeError: it ended otherwise without the point.
    """
    to_terminal = progress and sys.stdout.isatty()
    output = None if to_terminal else subprocess.PIPE
    with tempfile.TemporaryDirectory(prefix="nvrc-") as folder:
        mistake = Path(folder) / "mistake"
        command = [*_COMMAND, str(mistake)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT) as process:
            assert process.stdin is not None
            try:
                message = pickle.dumps(task)
                with suppress(BrokenPipeError):  # it ended before it listened; its exit code says more
                    process.stdin.write(len(message).to_bytes(8, "little") + message)
                    process.stdin.flush()
                lines = _listen(process, progress)
                code = process.wait()
            except BaseException:
                _end(process)
                raise
        _judge(task, code, mistake, lines)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let a process clean up what it has begun; kill it if that takes long."""
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


def _listen(process: subprocess.Popen[bytes], progress: bool) -> list[str]:
    """All lines that the process prints, unless they go to the terminal."""
    lines = []
    for line in process.stdout or ():
        lines.append(line.decode(errors="replace").rstrip())
        if progress:
            print(f"  {lines[-1]}", flush=True)
    return lines


def _judge(task: Task, code: int, mistake: Path, lines: list[str]) -> None:
    """Say what went wrong, if anything did."""
    if code == EXIT_INPUT and mistake.is_file():
        raise InputError(mistake.read_text(encoding="utf-8"))
    if code < 0:
        raise InputError(f"its process was killed by signal {-code}; if that was for want of memory, take fewer frames")
    if code:
        raise RuntimeError("\n".join([f"{task.name} ended with exit code {code}:", *lines[-40:]]))
