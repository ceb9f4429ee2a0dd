# SPDX-License-Identifier: GPL-2.0-or-later
"""As much of Avocado as a task knows of: starts tasks of one job side by side, listens to what they say, and ends.

    small_avocado.py RUNNER SOCKET RECIPE...

Costs a fifth of what a whole Avocado does, so that more runs fit into an hour. Exit status 0 if all tests passed.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from socketserver import StreamRequestHandler, ThreadingMixIn, UnixStreamServer


class Handler(StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            try:
                message = json.loads(line)
            except ValueError:
                continue  # half a line of a killed runner: to Avocado the end of that connection
            if message["id"] in self.server.results:
                print("PROTOCOL", message["id"], "goes on after its end:", message)
            elif message["status"] == "finished":
                self.server.results[message["id"]] = (message["result"], message.get("fail_reason", ""))


class Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    runner, socket, *recipes = sys.argv[1:]
    server = Server(socket, Handler)
    server.results = {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tasks = [subprocess.Popen([runner, "task-run-recipe", recipe], stdout=subprocess.DEVNULL) for recipe in recipes]

    def end(number, _):
        for task in tasks:
            if task.poll() is None:
                task.terminate()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    for task in tasks:
        task.wait()
    # A task that ended well has said so, which need not have been read yet; for one that was killed its sweeper speaks,
    # unless it was killed before it had one. Then, as in Avocado the plugin, we do, after the same patience.
    end_of_patience = time.monotonic() + 5
    while len(server.results) < len(tasks) and time.monotonic() < end_of_patience:
        time.sleep(0.01)
    if any(task.returncode == 0 for task in tasks) and len(server.results) < sum(task.returncode == 0 for task in tasks):
        print("PROTOCOL a task ended well and did not say how")
    os.unlink(socket)
    for identifier, (result, reason) in sorted(server.results.items()):
        print(identifier, result, reason)
    passed = len(server.results) == len(recipes) and all(result == "pass" for result, _ in server.results.values())
    sys.exit(0 if passed else 1)


main()
