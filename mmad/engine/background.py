"""Work in a background thread: decoding while a network computes."""

import queue
import threading
from collections.abc import Callable, Iterator


def in_background(make: Callable[[], Iterator], ahead: int) -> Iterator:
    """The items of an iterator that runs in a background thread, at most `ahead` items ahead; its errors are raised
    here."""
    items: queue.Queue = queue.Queue(maxsize=ahead)
    stop = threading.Event()

    def put(item) -> bool:
        while not stop.is_set():
            try:
                items.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in make():
                if not put(("item", item)):
                    return
            put(("done", None))
        except BaseException as error:  # handed over and raised in the consumer
            put(("error", error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, item = items.get()
            if kind == "done":
                return
            if kind == "error":
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
