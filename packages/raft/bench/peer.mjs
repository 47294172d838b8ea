/**
 * What carrying messages between two nodes costs: two processes on this machine, peers over gRPC. The processor time is
 * that of both, so that on a busy machine it says more than the rates.
 *
 *     pnpm --filter @shanghai/raft build && node packages/raft/bench/peer.mjs [seconds per row]
 */
import { fork } from 'node:child_process';
import { nodeClock, nodeRandom } from '@shanghai/env';
import { openGrpcPeers } from '../dist/grpc/index.js';
import { createMessage } from '../dist/index.js';
import { decodeBatch, encodeFrames } from '../dist/wire/frame-codec.js';

const isEcho = process.argv[2] === 'echo';
const seconds = Number(process.argv[2] ?? 2);
const nodeId = isEcho ? 2 : 1;
const peers = await openGrpcPeers({
  host: '127.0.0.1',
  port: 0,
  self: { clusterId: 'bench', nodeId, instanceId: `instance-${nodeId}`, startId: `${process.pid}` },
  book: { check: () => 'known' },
  clock: nodeClock(),
  random: nodeRandom(),
  limits: { logBufferBytes: 268_435_456 },
});
if (isEcho) await echo();
else await measure();

/** Answers each frame of appends with one frame of answers. */
async function echo() {
  peers.open({
    onFrame(_from, _startId, { messages }) {
      const answers = messages
        .filter(({ message }) => message.type === 'MsgApp')
        .map(({ groupId, message }) => ({
          groupId,
          message: createMessage({ type: 'MsgAppResp', from: 2, to: 1, term: 1, index: message.entries.at(-1)?.index }),
        }));
      if (answers.length > 0) peers.send(1, { messages: answers, signals: [] });
    },
    onUnreachable() {},
    onSnapshot: () => Promise.reject(new Error('none here')),
  });
  process.on('disconnect', () => process.exit());
  let last = process.cpuUsage();
  process.on('message', ({ address, lap }) => {
    if (address !== undefined) peers.setPeers([{ nodeId: 1, address }]);
    if (!lap) return;
    process.send({ cpuUs: cpuSince(last) });
    last = process.cpuUsage();
  });
  process.send({ address: peers.address });
}

async function measure() {
  codec();
  const child = fork(new URL(import.meta.url), ['echo'], { stdio: 'inherit' });
  let onAnswer = () => {};
  let isReachable = false;
  peers.open({
    onFrame(_from, _startId, { messages }) {
      isReachable = true;
      for (const { message } of messages) onAnswer(message);
    },
    onUnreachable() {},
    onSnapshot: () => Promise.reject(new Error('none here')),
  });
  const { address } = await said(child);
  peers.setPeers([{ nodeId: 2, address }]);
  child.send({ address: peers.address });
  while (!isReachable) {
    peers.send(2, { messages: [append(1, 1)], signals: [] });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const lap = async () => {
    child.send({ lap: true });
    return (await said(child)).cpuUs;
  };
  for (const [bytes, inFlight] of [
    [256, 1],
    [256, 16],
    [256, 256],
    [16_384, 16],
    [262_144, 16],
    [8_388_608, 2],
  ]) {
    let done = 0;
    let isOver = false;
    let finish;
    const finished = new Promise((resolve) => {
      finish = resolve;
    });
    const data = new Uint8Array(bytes).fill(7);
    onAnswer = () => {
      done++;
      if (isOver) finish();
      else peers.send(2, { messages: [append(done, data)], signals: [] });
    };
    await lap();
    const cpu = process.cpuUsage();
    const start = performance.now();
    for (let at = 0; at < inFlight; at++) peers.send(2, { messages: [append(at, data)], signals: [] });
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    const perSecond = (done * 1_000) / (performance.now() - start);
    const here = cpuSince(cpu) / done;
    const there = (await lap()) / done;
    isOver = true;
    await finished;
    await new Promise((resolve) => setTimeout(resolve, 100));
    const rate = `${Math.round(perSecond)} appends and answers/s, ${((perSecond * bytes) / 1e6).toFixed(1)} MB/s`;
    console.log(
      `${bytes} B, ${inFlight} in flight: ${rate}; ${here.toFixed(1)} + ${there.toFixed(1)} us of processor each`,
    );
  }
  child.kill();
  await peers.close();
}

/** The bytes alone: heartbeats of many groups, and appends. */
function codec() {
  const heartbeats = Array.from({ length: 1_000 }, (_, groupId) => ({
    groupId,
    message: createMessage({ type: 'MsgHeartbeat', from: 1, to: 2, term: 7, commit: 123_456, context: 99 }),
  }));
  const appends = [append(5, new Uint8Array(256)), append(6, new Uint8Array(256))];
  const batch = [{ groupId: 1, message: { ...appends[0].message, entries: entriesOf(100, new Uint8Array(256)) } }];
  for (const [name, messages, per] of [
    ['1,000 heartbeats', heartbeats, 1_000],
    ['2 appends of 256 B', appends, 2],
    ['1 append of 100 x 256 B', batch, 100],
  ]) {
    const frame = encodeFrames(messages, [], 1)[0];
    const encode = timed(() => encodeFrames(messages, [], 1));
    const decode = timed(() => decodeBatch(frame, 1, 2));
    const each = `${(encode / per).toFixed(2)} us to write and ${(decode / per).toFixed(2)} us to read each`;
    console.log(`${name}: ${frame.length} B, ${each}`);
  }
}

function timed(run) {
  for (let at = 0; at < 200; at++) run();
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < 300) {
    run();
    count++;
  }
  return ((performance.now() - start) * 1_000) / count;
}

function entriesOf(count, data) {
  return Array.from({ length: count }, (_, at) => ({ term: 1, index: at + 1, type: 'EntryNormal', data }));
}

function append(index, data) {
  const bytes = typeof data === 'number' ? new Uint8Array(data) : data;
  const entries = [{ term: 1, index: index + 1, type: 'EntryNormal', data: bytes }];
  return {
    groupId: 1,
    message: createMessage({ type: 'MsgApp', from: 1, to: 2, term: 1, logTerm: 1, index, entries }),
  };
}

function cpuSince(before) {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function said(child) {
  return new Promise((resolve) => child.once('message', resolve));
}
