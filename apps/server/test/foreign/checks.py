"""How checks of a foreign client are declared, and what they share."""

import json
import threading

import grpc
from shanghai.v1 import cluster_pb2_grpc, key_value_pb2, key_value_pb2_grpc, log_pb2_grpc

UINT64_MAX = 2**64 - 1
# The greatest number that a server keeps; what is above is refused.
LARGEST_NUMBER = 2**53 - 1
TIMEOUT_SECONDS = 30

CHECKS = {}


def check(claim):
    """Declares a check; `claim` is what holds when it returns."""

    def declare(function):
        if claim in CHECKS:
            raise ValueError(f"two checks claim '{claim}'")
        CHECKS[claim] = function
        return function

    return declare


class Server:
    """The stubs of one server."""

    def __init__(self, endpoint):
        self.channel = grpc.insecure_channel(endpoint)
        self.key_value = key_value_pb2_grpc.KeyValueStub(self.channel)
        self.log = log_pb2_grpc.LogStub(self.channel)
        self.cluster = cluster_pb2_grpc.ClusterStub(self.channel)

    def put(self, key, value, **fields):
        request = key_value_pb2.PutRequest(key=key, value=value, **fields)
        return self.key_value.Put(request, timeout=TIMEOUT_SECONDS)

    def get(self, key, **fields):
        request = key_value_pb2.GetRequest(key=key, **fields)
        return self.key_value.Get(request, timeout=TIMEOUT_SECONDS)


def same(actual, expected, what="value"):
    """Fails where two values differ."""
    if actual != expected:
        raise AssertionError(f"{what} is {actual!r}, expected {expected!r}")


def fails(call, status, code, mentions=" "):
    """Makes a call that must fail so, and returns the details of its trailers."""
    try:
        answer = call()
    except grpc.RpcError as error:
        trailers = dict(error.trailing_metadata())
        same(error.code(), status, "gRPC status")
        same(trailers.get("shanghai-error-code"), code, "trailer shanghai-error-code")
        if mentions not in error.details():
            raise AssertionError(f"the message does not say '{mentions}': {error.details()!r}")
        if not trailers.get("x-correlation-id"):
            raise AssertionError("the failure has no correlation id")
        return json.loads(trailers.get("shanghai-error-details-bin", b"{}"))
    raise AssertionError(f"the call succeeded with {answer!r}, expected {code}")


class Requests:
    """What a client sends on a stream: one request after the other, until `end`."""

    def __init__(self):
        self._waiting = []
        self._changed = threading.Condition()
        self._ended = False

    def send(self, *requests):
        with self._changed:
            self._waiting.extend(requests)
            self._changed.notify()

    def end(self):
        with self._changed:
            self._ended = True
            self._changed.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self._changed:
            while not self._waiting and not self._ended:
                self._changed.wait(TIMEOUT_SECONDS)
            if not self._waiting:
                raise StopIteration
            return self._waiting.pop(0)
