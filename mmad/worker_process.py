"""What a process that works for another one does first."""

import multiprocessing
import os
import signal
import threading


def become_worker() -> None:
    """One thread per process: they share the cores. Ctrl-C is handled by the parent; workers end with it."""
    import torch  # imported here: those who only start workers do not need it

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
