"""The service Log, and what a stranger finds beside it, through the eyes of another language."""

import grpc
from shanghai.v1.cluster_pb2 import CLUSTER_STATE_HEALTHY, GetStatusRequest
from shanghai.v1.log_pb2 import (
    CreateLogRequest,
    DeleteLogRequest,
    DescribeLogRequest,
    ListLogsRequest,
    LOG_MODE_QUORUM,
    LogAppendRequest,
    LogHeader,
    LogReadRequest,
    LogRecord,
    LogSettings,
    LogTailRequest,
    Producer,
)

from checks import LARGEST_NUMBER, TIMEOUT_SECONDS, check, fails, same


def append(server, log, *values, **fields):
    records = [LogRecord(value=value) for value in values]
    return server.log.Append(LogAppendRequest(log=log, records=records, **fields), timeout=TIMEOUT_SECONDS)


def create(server, name):
    settings = LogSettings(mode=LOG_MODE_QUORUM)
    return server.log.CreateLog(CreateLogRequest(name=name, settings=settings), timeout=TIMEOUT_SECONDS)


@check("a log is created, listed, described and deleted")
def catalogue(server):
    same(create(server, "catalogue").log.settings.mode, LOG_MODE_QUORUM)
    create(server, "catalogue")
    listed = server.log.ListLogs(ListLogsRequest(prefix="cata"), timeout=TIMEOUT_SECONDS)
    same([log.name for log in listed.logs], ["catalogue"])
    describe = DescribeLogRequest(name="catalogue")
    origin = server.log.DescribeLog(describe, timeout=TIMEOUT_SECONDS).log.origins[0]
    same((origin.origin, origin.last_sequence), (0, 0))
    server.log.DeleteLog(DeleteLogRequest(name="catalogue"), timeout=TIMEOUT_SECONDS)
    fails(
        lambda: server.log.DescribeLog(describe, timeout=TIMEOUT_SECONDS), grpc.StatusCode.NOT_FOUND, "NOT_FOUND"
    )
    fails(lambda: append(server, "catalogue", b"x"), grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


@check("entries are numbered from 1 and read back with keys and headers, by sequence and by time")
def append_and_read(server):
    create(server, "entries")
    record = LogRecord(key=b"\x00k", value=b"\xffv", headers=[LogHeader(name="h", value=b"\x00")])
    request = LogAppendRequest(log="entries", records=[record, LogRecord(value=b"second")])
    first = server.log.Append(request, timeout=TIMEOUT_SECONDS)
    same((first.first_sequence, first.last_sequence, first.duplicate), (1, 2, False))
    same(append(server, "entries", b"third").first_sequence, 3)

    def read(**fields):
        return server.log.Read(LogReadRequest(log="entries", **fields), timeout=TIMEOUT_SECONDS)

    page = read()
    same([entry.sequence for entry in page.entries], [1, 2, 3])
    entry = page.entries[0]
    same((entry.key, entry.value, entry.time_ms), (b"\x00k", b"\xffv", first.time_ms))
    same([(header.name, header.value) for header in entry.headers], [("h", b"\x00")])
    same([entry.value for entry in read(from_sequence=2, limit=1).entries], [b"second"])
    same([entry.sequence for entry in read(from_time_ms=first.time_ms).entries], [1, 2, 3])
    same((page.next_sequence, page.first_sequence, page.last_sequence), (4, 1, 3))


@check("a producer's records are appended once, and an expected sequence that is not the last is CONFLICT")
def producers(server):
    create(server, "producers")
    producer = Producer(producer_id=7, epoch=1, sequence=1)
    first = append(server, "producers", b"a", b"b", producer=producer)
    again = append(server, "producers", b"a", b"b", producer=producer)
    same((again.first_sequence, again.last_sequence, again.duplicate), (first.first_sequence, 2, True))
    conflict = (grpc.StatusCode.ABORTED, "CONFLICT")
    fails(lambda: append(server, "producers", b"c", expected_last_sequence=1), *conflict)
    same(append(server, "producers", b"c", expected_last_sequence=2).first_sequence, 3)
    fails(lambda: append(server, "producers", b"c", expected_last_sequence=LARGEST_NUMBER), *conflict)
    greater = LARGEST_NUMBER + 1
    refused = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", "expected_last_sequence")
    fails(lambda: append(server, "producers", b"c", expected_last_sequence=greater), *refused)


@check("a tail gives what is there and then what is appended; cancelled, it ends")
def tails(server):
    create(server, "tails")
    append(server, "tails", b"1", b"2")
    stream = server.log.Tail(LogTailRequest(log="tails", from_sequence=2), timeout=TIMEOUT_SECONDS)

    def take(count):
        values = []
        while len(values) < count:
            values.extend(entry.value for entry in next(stream).entries)
        return values

    same(take(1), [b"2"])
    append(server, "tails", b"3")
    append(server, "tails", b"4")
    same(take(2), [b"3", b"4"])
    stream.cancel()
    try:
        next(stream)
    except grpc.RpcError as error:
        same(error.code(), grpc.StatusCode.CANCELLED)
    else:
        raise AssertionError("a cancelled tail went on")


@check("a log name that breaks the rules, and a position beyond the end, are told from each other")
def positions(server):
    fails(lambda: create(server, "a/b"), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    create(server, "positions")
    append(server, "positions", b"only")
    request = LogReadRequest(log="positions", from_sequence=LARGEST_NUMBER)
    details = fails(
        lambda: server.log.Read(request, timeout=TIMEOUT_SECONDS), grpc.StatusCode.OUT_OF_RANGE, "OUT_OF_RANGE"
    )
    same(details.get("firstSequence"), 1, "details")


@check("the node says that it is healthy, and where it stands")
def status(server):
    answer = server.cluster.GetStatus(GetStatusRequest(), timeout=TIMEOUT_SECONDS)
    same((answer.state, answer.node.node_id), (CLUSTER_STATE_HEALTHY, 1))
    same(answer.wal.durability, "always")
    same(answer.wal.durable_lsn > 0, True)


def raw(channel, kind, path):
    """A call of bytes, for services whose Python packages are not installed."""
    return getattr(channel, kind)(path, request_serializer=bytes, response_deserializer=bytes)


@check("the standard health and reflection services answer")
def standard_services(server):
    health = raw(server.channel, "unary_unary", "/grpc.health.v1.Health/Check")
    same(health(b"", timeout=TIMEOUT_SECONDS), b"\x08\x01", "HealthCheckResponse (1 = SERVING)")
    reflect = raw(server.channel, "stream_stream", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    list_services = b"\x3a\x00"
    listed = next(reflect(iter([list_services]), timeout=TIMEOUT_SECONDS))
    for service in (b"shanghai.v1.KeyValue", b"shanghai.v1.Log", b"shanghai.v1.Cluster", b"shanghai.v1.Admin"):
        if service not in listed:
            raise AssertionError(f"reflection does not list {service!r}: {listed!r}")
