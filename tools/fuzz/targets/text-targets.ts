/** What people and clients write: configuration, queries, bodies, metadata, inputs of the command-line tool. */
import { Metadata } from '@grpc/grpc-js';
import { readBytes } from '../../../apps/ctl/src/byte-text.js';
import { readOperations } from '../../../apps/ctl/src/commands/kv-batch.js';
import { parseExposition } from '../../../apps/ctl/src/commands/metrics-view.js';
import { CtlError } from '../../../apps/ctl/src/ctl-error.js';
import { readAcknowledged } from '../../../apps/ctl/src/import/acknowledged-file.js';
import { importRecords, type RecordShape } from '../../../apps/ctl/src/import/import-records.js';
import { parseKeyTemplate } from '../../../apps/ctl/src/import/key-template.js';
import { headLine, LineSeal } from '../../../apps/ctl/src/import/sealed-lines.js';
import { readProfile } from '../../../apps/ctl/src/profile-file.js';
import { readHistory } from '../../../apps/ctl/src/shell/history-file.js';
import { decodeHealthRequest } from '../../../apps/server/src/api/grpc/health-service.js';
import { pipelineRequestDecoder } from '../../../apps/server/src/api/grpc/pipeline-codec.js';
import { decodePutRequest } from '../../../apps/server/src/api/grpc/put-codec.js';
import { tolerantService, UndecodableMessage } from '../../../apps/server/src/api/grpc/tolerant-service.js';
import { batchRoute } from '../../../apps/server/src/api/http/batch-route.js';
import { checkedBody, parseJsonBody } from '../../../apps/server/src/api/http/json-body.js';
import { parseQuery } from '../../../apps/server/src/api/http/query-parameters.js';
import { rangeRoute } from '../../../apps/server/src/api/http/range-route.js';
import { readContextOf, writeContextOf } from '../../../apps/server/src/api/http/request-options.js';
import { bytesOf, decodeComponent } from '../../../apps/server/src/api/http/wire-text.js';
import { parseCommandLine } from '../../../apps/server/src/config/command-line.js';
import { ConfigError } from '../../../apps/server/src/config/config-error.js';
import { readConfigFile } from '../../../apps/server/src/config/config-file.js';
import { resolveConfig } from '../../../apps/server/src/config/resolve-config.js';
import { parseFirstMembers } from '../../../apps/server/src/first-members.js';
import { parseClusterCommand } from '../../../apps/server/src/local-cluster/cluster-command.js';
import { ServerError } from '../../../apps/server/src/requests/server-error.js';
import { decodePipelineResponse } from '../../../packages/client/src/grpc/pipeline-codec.js';
import { detailsOfJson } from '../../../packages/client/src/wire/error-wire.js';
import { judgeAnswer, judgeHello } from '../../../packages/raft/src/grpc/hello.js';
import {
  AppendRequest,
  BatchRequest,
  LogAppendRequest,
  PipelineRequest,
  PipelineResponse,
  PutRequest,
  RangeRequest,
  TransactRequest,
} from '../../../proto/src/index.js';
import type { FuzzTarget } from '../fuzz-target.js';
import { temporaryFile } from '../temporary-file.js';

const bytes = (value: string) => new Uint8Array(Buffer.from(value));
const shown = (value: Uint8Array) => Buffer.from(value).toString();

/** A decoder of text. */
function ofText(
  name: string,
  examples: readonly string[],
  decode: (text: string) => unknown,
  refusals: FuzzTarget['refusals'],
  cost = 1,
): FuzzTarget {
  return { name, examples: () => examples.map(bytes), decode: (given) => decode(shown(given)), refusals, cost };
}

/** Arguments are separated by line ends. */
const words = (text: string) => text.split('\n').map((word) => word.replaceAll('\0', ''));

async function* chunksOf(text: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += 11) yield text.slice(at, at + 11);
}

async function importAll(text: Uint8Array, shape: RecordShape): Promise<number> {
  let count = 0;
  for await (const _ of importRecords(chunksOf(text), shape)) count++;
  return count;
}

function headersOf(text: string): { header(name: string): string | undefined } {
  const [first, ...rest] = text.split('\n');
  const headers = new Map([
    ['x-session-token', first],
    ['idempotency-key', rest[0]],
    ['idempotency-retry', rest[1]],
  ]);
  return { header: (name) => headers.get(name) };
}

const self = { clusterId: 'c', nodeId: 2, instanceId: 'i', startId: 's' };
const book = { check: () => 'known' as const };
const hello =
  'shanghai-protocol: 1-1\nshanghai-cluster: c\nshanghai-from: 1\nshanghai-to: 2\nshanghai-instance: a\nshanghai-start: b';

/** Metadata of lines; what HTTP/2 would not carry is left out, as it never arrives. */
function metadataOf(text: string): Metadata {
  const metadata = new Metadata();
  for (const line of text.split('\n')) {
    const [name = '', ...value] = line.split(': ');
    try {
      metadata.set(name, value.join(': '));
    } catch {
      // The library refuses it too.
    }
  }
  return metadata;
}

const commandLines = [
  '--data-dir\n/tmp/x\n--http-port\n0\n--merge\nfalse',
  '--max-value-bytes\n64KiB\n--host=127.0.0.1\n--log-level\ndebug',
];

const configuration: readonly FuzzTarget[] = [
  ofText('server: first members', ['1=host:9190,2=host:9191,3=[::1]:9192'], parseFirstMembers, [RangeError]),
  ofText('server: command line', commandLines, (text) => parseCommandLine(words(text), '1'), [ConfigError], 10),
  ofText(
    'server: command line of a local cluster',
    ['--nodes\n3\n--data-dir\n/tmp/x', '--nodes=5\n--http-port\n8100'],
    (text) =>
      parseClusterCommand(
        words(text).filter((word) => !word.startsWith('--config')),
        {},
        '1',
      ),
    [ConfigError],
    20,
  ),
  {
    name: 'server: configuration file',
    examples: () =>
      ['data-dir: /x\nhttp-port: 8080\nmerge: false\nwal-segment-bytes: 64MiB\n', '{"http-port": 1}'].map(bytes),
    decode: (given) => resolveConfig({ file: readConfigFile(temporaryFile('config.yaml', given)) }),
    refusals: [ConfigError],
    cost: 10,
  },
];

const http: readonly FuzzTarget[] = [
  ofText(
    'server: query',
    ['start=a&end=%7A&limit=10&reverse=true&keys_only=false', 'prefix=&level=stale&next=AbC_-'],
    (text) => parseQuery(rangeRoute.parameters, text),
    [ServerError],
  ),
  ofText('server: part of a query', ['a%20b', '%F0%9F%98%80+'], (text) => decodeComponent(text, 'it'), [ServerError]),
  ofText(
    'server: bytes in JSON',
    ['aGVsbG8=', 'text'],
    (text) => [bytesOf(text, 'utf8', 'it'), bytesOf(text, 'base64', 'it')],
    [ServerError],
  ),
  {
    name: 'server: body of a batch',
    examples: () => [
      bytes(
        '{"operations":[{"type":"put","key":"a","value":"b","ttl_ms":5},{"type":"delete","key":"c"}],"atomic":true}',
      ),
      bytes('{"operations":[{"type":"append","key":"YQ==","key_encoding":"base64","value":"b"}]}'),
    ],
    decode: (given) => checkedBody(batchRoute.body as never, parseJsonBody(Buffer.from(given), 10_000)),
    refusals: [ServerError],
  },
  ofText(
    'server: headers of a request',
    ['AAECAw\n7/42\ntrue', '\n1/1\nfalse'],
    (text) => [readContextOf({}, headersOf(text)), writeContextOf({}, headersOf(text))],
    [ServerError],
  ),
  ofText('client: details of a failure', ['{"revision":5}', '[]'], detailsOfJson, []),
];

const none = Buffer.alloc(0);
const options = undefined;
const put = { options, key: Buffer.from('key'), value: Buffer.from('value'), ttlMs: 5n };

const header = { token: put.key, staleMs: 0n };
const pipelineAnswers: PipelineResponse = {
  id: 0n,
  response: {
    $case: 'answers',
    value: {
      responses: [
        { id: 1n, response: { $case: 'put', value: { header, revision: 9n } } },
        {
          id: 2n,
          response: { $case: 'get', value: { header, found: true, value: put.value, revision: 9n, expiresAtMs: 0n } },
        },
      ],
    },
  },
};

/** A message of gRPC as the server decodes it: a value, or a note that it cannot be decoded. */
function message<Request>(
  name: string,
  type: { encode(value: Request): { finish(): Uint8Array }; decode(given: Uint8Array): Request },
  value: Request,
  decode: (given: Buffer) => unknown = (given) => type.decode(given),
): FuzzTarget {
  const definition = {
    call: {
      path: '/x/y',
      requestStream: false,
      responseStream: false,
      requestDeserialize: decode,
      requestSerialize: () => none,
      responseSerialize: () => none,
      responseDeserialize: () => none,
    },
  };
  const tolerant = tolerantService(definition as never, 10_000) as unknown as typeof definition;
  return {
    name: `server: ${name}`,
    examples: () => [new Uint8Array(type.encode(value).finish())],
    decode(given) {
      const decoded = tolerant.call.requestDeserialize(Buffer.from(given));
      if (decoded instanceof UndecodableMessage) throw decoded.reason === '' ? decoded : new RangeError(decoded.reason);
      return decoded;
    },
    refusals: [RangeError],
  };
}

const grpc: readonly FuzzTarget[] = [
  {
    name: 'server: request of health',
    examples: () => [bytes('\x0a\x01s'), bytes('\x10\x05\x0a\x03abc\x1a\x01x')],
    decode: (given) => decodeHealthRequest(Buffer.from(given)),
    refusals: [RangeError],
  },
  message('Put', PutRequest, { ...put, ttlMs: 0n }, decodePutRequest),
  message('Append', AppendRequest, { options, key: put.key, value: put.value }),
  message('Range', RangeRequest, {
    options: undefined,
    start: put.key,
    end: none,
    prefix: none,
    limit: 5n,
    reverse: true,
    keysOnly: false,
    continuation: none,
  }),
  message('Batch', BatchRequest, {
    options,
    atomic: true,
    operations: [{ operation: { $case: 'put', value: { key: put.key, value: put.value, ttlMs: 5n } } }],
  }),
  message('Transact', TransactRequest, {
    options,
    conditions: [],
    operations: [{ operation: { $case: 'delete', value: { key: put.key } } }],
  }),
  message('LogAppend', LogAppendRequest, {
    log: 'l',
    records: [{ key: put.key, value: put.value, headers: [{ name: 'n', value: none }] }],
    producer: undefined,
    expectedLastSequence: undefined,
    acknowledgement: 0,
  }),
  message(
    'Pipeline',
    PipelineRequest,
    { id: 7n, request: { $case: 'put', value: put } },
    pipelineRequestDecoder(10_000),
  ),
  {
    name: 'client: answers of a pipeline',
    examples: () => [new Uint8Array(PipelineResponse.encode(pipelineAnswers).finish())],
    decode(given) {
      try {
        return decodePipelineResponse(Buffer.from(given));
      } catch (error) {
        // Generated code has no errors of its own; the library makes of any that the stream ends.
        throw new RangeError(String(error), { cause: error });
      }
    },
    refusals: [RangeError],
  },
  ofText('raft: hello', [hello], (text) => judgeHello(metadataOf(text), self, book), []),
  ofText(
    'raft: answer to a hello',
    [hello.replace('1-1', '1')],
    (text) => judgeAnswer(metadataOf(text), 1, self, book),
    [],
  ),
];

const csv = 'id,name\r\n1,"Smith, J"\r\n2,x\r\n';

/** A portable file of one record. */
function sealedExport(record: string): Uint8Array {
  const seal = new LineSeal();
  seal.add(record);
  return bytes([headLine, record, seal.line('sealed'), seal.line('end'), ''].join('\n'));
}

const tool: readonly FuzzTarget[] = [
  {
    name: 'ctl: input of an import, JSON lines',
    examples: () => [
      bytes('{"id":1,"v":"text"}\n{"id":2,"v":{"a":[1]}}\r\n\n{"id":3}\n'),
      bytes('{"key":"a","value":"1"}'),
      sealedExport('{"key":"a","value":"1"}'),
    ],
    decode: (given, example) =>
      importAll(given, example === 0 ? { form: 'jsonl', key: parseKeyTemplate('{id}') } : { form: 'jsonl' }),
    refusals: [CtlError],
  },
  {
    name: 'ctl: input of an import, JSON',
    examples: () => [bytes('[{"country":"AD", "name":"Vila"},\n {"country":"DE","name":"K\u00f6ln \\"x\\" [}"}]')],
    decode: (given) => importAll(given, { form: 'json', key: parseKeyTemplate('{country}:{name}') }),
    refusals: [CtlError],
  },
  {
    name: 'ctl: input of an import, CSV',
    examples: () => [bytes(csv)],
    decode: (given) => importAll(given, { form: 'csv', key: parseKeyTemplate('{id}') }),
    refusals: [CtlError],
    cost: 5,
  },
  ofText('ctl: template of keys', ['{country}:{name.first}', '{{{a}}}{#}'], (text) => parseKeyTemplate(text), [
    CtlError,
  ]),
  {
    name: 'ctl: file of acknowledged records',
    examples: () => [bytes('{"record":1,"key":"a"}\n{"record":2,"key":"b"}\n')],
    decode: (given) => readAcknowledged(chunksOf(given), 'acknowledged'),
    refusals: [CtlError],
  },
  {
    name: 'ctl: operations of a batch',
    examples: () => [
      bytes('[{"type":"put","key":"a","value":"b"},{"type":"delete","key":"c"}]'),
      bytes('{"operations":[{"type":"append","key":"a","value":"b"}]}'),
      bytes('{"type":"put","key":"61","keyEncoding":"hex","value":"b","ttlMs":5}\n{"type":"delete","key":"c"}'),
    ],
    decode: (given) => readOperations(given),
    refusals: [CtlError],
  },
  ofText(
    'ctl: bytes on a command line',
    ['6162', 'YWI='],
    (text) => [
      readBytes(text, 'text', 'it'),
      text === '' || readBytes(text, text.includes('=') ? 'base64' : 'hex', 'it'),
    ],
    [CtlError],
  ),
  ofText(
    'ctl: metrics',
    ['# HELP a b\na{l="x\\"y",m="z"} 5\nb_bucket{le="+Inf"} 7 1700\n'],
    (text) => [...parseExposition(text)],
    [],
  ),
  {
    name: 'ctl: profile file',
    examples: () => [bytes('default: a\nprofiles:\n  a:\n    endpoints: [localhost:9090]\n    timeoutMs: 5\n')],
    decode: (given) => readProfile(temporaryFile('ctl.yaml', given), undefined),
    refusals: [CtlError],
    cost: 10,
  },
  {
    name: "ctl: shell's history",
    examples: () => [bytes('kv get a\nkv put a b\n')],
    decode: (given) => readHistory(temporaryFile('history', given)),
    refusals: [],
    cost: 5,
  },
];

/** Everything that is text, and the messages of clients. */
export const textTargets: readonly FuzzTarget[] = [...configuration, ...http, ...grpc, ...tool];
