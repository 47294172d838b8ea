"""The service KeyValue through the eyes of another language."""

import grpc
from shanghai.v1.key_value_pb2 import (
    AppendRequest,
    BatchRequest,
    Condition,
    DeleteRequest,
    OpenSessionRequest,
    PipelineGroup,
    PipelineRequest,
    PutRequest,
    GetRequest,
    RangeRequest,
    ReadOptions,
    READ_LEVEL_SESSION,
    TransactRequest,
    WatchEvent,
    WatchRange,
    WatchRequest,
    WriteOperation,
    WriteOptions,
)

from checks import LARGEST_NUMBER, TIMEOUT_SECONDS, UINT64_MAX, Requests, check, fails, same


def put_operation(key, value):
    operation = WriteOperation()
    operation.put.key = key
    operation.put.value = value
    return operation


def delete_operation(key):
    operation = WriteOperation()
    operation.delete.key = key
    return operation


def append_operation(key, value):
    operation = WriteOperation()
    operation.append.key = key
    operation.append.value = value
    return operation


@check("bytes of a key and a value come back as they were put")
def round_trip(server):
    everything = bytes(range(256))
    written = server.put(everything, everything * 4)
    read = server.get(everything)
    same((read.found, read.value, read.revision), (True, everything * 4, written.revision))
    same(read.expires_at_ms, 0, "expiry")
    empty = server.put(b"empty", b"")
    read = server.get(b"empty")
    same((read.found, read.value, read.revision), (True, b"", empty.revision))


@check("a missing key is found=false and deleted=false, not an error")
def missing(server):
    same(server.get(b"nowhere").found, False)
    gone = server.key_value.Delete(DeleteRequest(key=b"nowhere"), timeout=TIMEOUT_SECONDS)
    same(gone.deleted, False)


@check("append makes and extends a value, delete takes it away")
def append_and_delete(server):
    call = server.key_value.Append
    same(call(AppendRequest(key=b"a", value=b"one"), timeout=TIMEOUT_SECONDS).value_bytes, 3)
    same(call(AppendRequest(key=b"a", value=b"two"), timeout=TIMEOUT_SECONDS).value_bytes, 6)
    same(server.get(b"a").value, b"onetwo")
    same(server.key_value.Delete(DeleteRequest(key=b"a"), timeout=TIMEOUT_SECONDS).deleted, True)
    same(server.get(b"a").found, False)


@check("keyspaces do not see each other")
def keyspaces(server):
    server.put(b"ks", b"default")
    server.put(b"ks", b"other", options=WriteOptions(keyspace="other"))
    same(server.get(b"ks").value, b"default")
    same(server.get(b"ks", options=ReadOptions(keyspace="other")).value, b"other")


@check("a range streams keys in byte order, by prefix, backwards, with a limit and a continuation")
def ranges(server):
    keys = [b"r\x00", b"r\x01\xff", b"r\x02", b"r\x7f", b"r\x80", b"r\xff"]
    server.key_value.Batch(
        BatchRequest(operations=[put_operation(key, key * 2) for key in reversed(keys)]), timeout=TIMEOUT_SECONDS
    )

    def scan(**fields):
        pages = list(server.key_value.Range(RangeRequest(**fields), timeout=TIMEOUT_SECONDS))
        return [(pair.key, pair.value) for page in pages for pair in page.pairs], pages[-1].continuation

    rows, rest = scan(prefix=b"r")
    same((rows, rest), ([(key, key * 2) for key in keys], b""))
    same([key for key, _ in scan(prefix=b"r", reverse=True)[0]], list(reversed(keys)))
    same([key for key, _ in scan(start=b"r\x01", end=b"r\x80")[0]], keys[1:4])
    rows, rest = scan(prefix=b"r", limit=4, keys_only=True)
    same(rows, [(key, b"") for key in keys[:4]])
    rows, rest = scan(prefix=b"r", limit=4, keys_only=True, continuation=rest)
    same((rows, rest), ([(key, b"") for key in keys[4:]], b""))
    same(scan(prefix=b"r", limit=LARGEST_NUMBER)[0], [(key, key * 2) for key in keys])


@check("a batch answers every operation in order, with rising revisions")
def batches(server):
    operations = [put_operation(b"b1", b"x"), append_operation(b"b1", b"yz"), delete_operation(b"b2")]
    for atomic in (False, True):
        answer = server.key_value.Batch(
            BatchRequest(atomic=atomic, operations=operations), timeout=TIMEOUT_SECONDS
        )
        same([result.HasField("error") for result in answer.results], [False] * 3)
        revisions = [result.revision for result in answer.results]
        same(revisions, sorted(set(revisions)), "revisions")
        same((answer.results[1].value_bytes, answer.results[2].deleted), (3, False))
    same(server.get(b"b1").value, b"xyz")


@check("a transaction is done when all conditions hold, and otherwise names the first that does not")
def transactions(server):
    revision = server.put(b"t", b"old").revision

    def transact(*conditions):
        request = TransactRequest(conditions=conditions, operations=[put_operation(b"t", b"new")])
        return server.key_value.Transact(request, timeout=TIMEOUT_SECONDS)

    holds = Condition(key=b"t", exists=True)
    details = fails(
        lambda: transact(holds, Condition(key=b"t", revision=revision + 1)), grpc.StatusCode.ABORTED, "CONFLICT"
    )
    same(details.get("revision"), revision, "details")
    same(server.get(b"t").value, b"old")
    done = transact(holds, Condition(key=b"t", value=b"old"), Condition(key=b"t", revision=revision))
    same(len(done.results), 1)
    same(server.get(b"t").value, b"new")


@check("a request number of a session is applied once, and an unknown session is SESSION_EXPIRED")
def sessions(server):
    opened = server.key_value.OpenSession(OpenSessionRequest(), timeout=TIMEOUT_SECONDS)
    same(opened.ttl_ms, 3_600_000)

    def append(session_id, number, retry=False):
        options = WriteOptions(session_id=session_id, request_number=number, retry=retry)
        return server.key_value.Append(
            AppendRequest(options=options, key=b"s", value=b"once"), timeout=TIMEOUT_SECONDS
        )

    first = append(opened.session_id, 1)
    again = append(opened.session_id, 1, retry=True)
    same((again.revision, again.value_bytes), (first.revision, first.value_bytes))
    same(server.get(b"s").value, b"once")
    fails(lambda: append(opened.session_id + 1_000, 1), grpc.StatusCode.FAILED_PRECONDITION, "SESSION_EXPIRED")


@check("a token carries what one client has seen to another client's read")
def tokens(server):
    written = server.put(b"token", b"seen")
    options = ReadOptions(level=READ_LEVEL_SESSION, token=written.header.token)
    same(server.get(b"token", options=options).value, b"seen")


@check("a watch begins with an empty page and goes on from a position without a gap")
def watches(server):
    def watch(**fields):
        return server.key_value.Watch(WatchRequest(**fields), timeout=TIMEOUT_SECONDS)

    stream = watch(prefix=b"w")
    begin = next(stream)
    same(len(begin.events), 0, "events of the first page")
    server.put(b"w1", b"one")
    server.put(b"x", b"not watched")
    server.key_value.Delete(DeleteRequest(key=b"w1"), timeout=TIMEOUT_SECONDS)

    def two_events(pages):
        events = []
        for page in pages:
            events.extend((event.type, event.key, event.value) for event in page.events)
            if len(events) >= 2:
                return events
        raise AssertionError("the watch ended")

    expected = [(WatchEvent.TYPE_PUT, b"w1", b"one"), (WatchEvent.TYPE_DELETE, b"w1", b"")]
    same(two_events(stream), expected)
    stream.cancel()
    resumed = watch(range=WatchRange(start=b"w", end=b"x"), position=begin.position)
    same(two_events(resumed), expected)
    resumed.cancel()


@check("a pipeline answers every request by its id, also failed ones and those in groups")
def pipelines(server):
    requests = Requests()
    answers = server.key_value.Pipeline(requests, timeout=TIMEOUT_SECONDS)

    def receive(count):
        received = {}
        for answer in answers:
            parts = answer.answers.responses if answer.WhichOneof("response") == "answers" else [answer]
            received.update((part.id, part) for part in parts)
            if len(received) >= count:
                return received
        raise AssertionError(f"the stream ended after {len(received)} of {count} answers")

    requests.send(
        PipelineRequest(id=UINT64_MAX, put=PutRequest(key=b"p", value=b"1")),
        PipelineRequest(id=2, put=PutRequest(key=b"", value=b"no key")),
        PipelineRequest(
            group=PipelineGroup(
                requests=[PipelineRequest(id=10 + i, put=PutRequest(key=b"p%d" % i, value=b"g")) for i in range(100)]
            )
        ),
    )
    received = receive(102)
    same(received[UINT64_MAX].WhichOneof("response"), "put")
    same(received[2].error.code, "INVALID_REQUEST")
    same([received[10 + i].WhichOneof("response") for i in range(100)], ["put"] * 100)
    requests.send(PipelineRequest(id=3, get=GetRequest(key=b"p")))
    same(receive(1)[3].get.value, b"1")
    requests.end()
    same(list(answers), [])


@check("a broken limit is INVALID_REQUEST with a message, a code in the trailers and a correlation id")
def limits(server):
    invalid = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    fails(lambda: server.put(b"", b"x"), *invalid)
    fails(lambda: server.put(b"k" * 65_537, b"x"), *invalid)
    fails(lambda: server.get(b""), *invalid)
    same(server.put(b"k" * 65_536, b"longest key").revision > 0, True)


@check("numbers up to 2^53 - 1 are taken for what they are, greater ones are refused by their name")
def uint64(server):
    def refused(call, field):
        fails(call, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", mentions=field)

    def numbered(session_id, number):
        return server.put(b"u", b"x", options=WriteOptions(session_id=session_id, request_number=number))

    def transact(revision):
        condition = Condition(key=b"u", revision=revision)
        request = TransactRequest(conditions=[condition], operations=[put_operation(b"u", b"x")])
        return server.key_value.Transact(request, timeout=TIMEOUT_SECONDS)

    expired = (grpc.StatusCode.FAILED_PRECONDITION, "SESSION_EXPIRED")
    fails(lambda: numbered(LARGEST_NUMBER, 1), *expired)
    fails(lambda: transact(LARGEST_NUMBER), grpc.StatusCode.ABORTED, "CONFLICT")
    for number in (LARGEST_NUMBER + 1, UINT64_MAX):
        refused(lambda: numbered(number, 1), "session_id")
        refused(lambda: numbered(1, number), "request_number")
        refused(lambda: transact(number), "revision")
        refused(lambda: server.put(b"u", b"x", ttl_ms=number), "ttl_ms")
        refused(lambda: list(server.key_value.Range(RangeRequest(limit=number))), "limit")
    same(server.get(b"u").found, False)
