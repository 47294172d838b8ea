"""python3 run.py <folder of generated code> <host:port>: runs every check, prints one JSON object a line for each."""

import json
import sys
import traceback

sys.path.insert(0, sys.argv[1])

import checks  # noqa: E402  (generated code must be found first)
import key_values  # noqa: E402, F401
import named_logs  # noqa: E402, F401

server = checks.Server(sys.argv[2])
for claim, function in checks.CHECKS.items():
    failure = None
    try:
        function(server)
    except Exception:  # a check may fail in any way; the others still run
        failure = traceback.format_exc()
    print(json.dumps({"claim": claim, "failure": failure}), flush=True)
server.channel.close()
