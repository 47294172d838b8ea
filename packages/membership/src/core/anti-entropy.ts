/** Making views equal whatever gossip has missed: hashes first, then only what differs. */
import type { CoreContext } from './core-context.js';
import type { Learning } from './learning.js';
import { isPresent, type Member, supersedes } from './member.js';
import { isIn } from './member-view.js';
import type { MemberVersion } from './message.js';
import { recordBytes } from './rumours.js';

/** Frames of many records are divided at this size. */
const frameBytes = 65_536;
/** Gossip is given this long to bring what a heartbeat says is missing. */
const quietMs = 2_000;
/** Digests that follow from heartbeats, at most one in this time. */
const pauseMs = 1_000;

/** Comparison of views. */
export class AntiEntropy {
  readonly #context: CoreContext;
  readonly #learning: Learning;
  #nextMs = 0;
  #sentMs = Number.NEGATIVE_INFINITY;

  constructor(context: CoreContext, learning: Learning) {
    this.#context = context;
    this.#learning = learning;
  }

  /** When the next random member is due. */
  get dueMs(): number {
    return this.#nextMs;
  }

  /** Begins, at a moment of its own for each node. */
  start(): void {
    const { nowMs, settings, random } = this.#context;
    this.#nextMs = nowMs + Math.ceil(settings.digestEveryMs * random.float());
  }

  tick(): void {
    const { nowMs, settings, random, view, selfId } = this.#context;
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + settings.digestEveryMs;
    const [nodeId] = view.pick(1, random, (id) => id !== selfId);
    if (nodeId !== undefined) this.offer(nodeId);
  }

  /** Sends a digest to a member. */
  offer(nodeId: number): void {
    this.#sentMs = this.#context.nowMs;
    this.#context.send([nodeId], { type: 'digest', hashes: [...this.#context.view.hashes] });
  }

  /** A heartbeat said which view its sender has, and in which incarnation it is. */
  takeHeartbeat(from: number, incarnation: number, viewHash: number): void {
    const { view, nowMs } = this.#context;
    const known = view.get(from)?.record;
    const isNewer = known !== undefined && incarnation > known.incarnation;
    if (viewHash === view.hash && !isNewer) return;
    if (!isNewer && nowMs - this.#learning.changedMs < quietMs) return;
    if (nowMs - this.#sentMs >= pauseMs) this.offer(from);
  }

  takeDigest(from: number, hashes: readonly number[]): void {
    const { view } = this.#context;
    const buckets = view.bucketsOtherThan(hashes);
    if (buckets === 0) return;
    this.#context.send([from], { type: 'versions', buckets, versions: view.versionsIn(buckets) });
  }

  takeVersions(from: number, buckets: number, versions: readonly MemberVersion[]): void {
    const { view } = this.#context;
    const theirs = new Map(versions.map((version) => [version.nodeId, version]));
    const wanted: number[] = [];
    const records: Member[] = [];
    for (const version of versions) {
      const mine = view.get(version.nodeId)?.record;
      if (mine === undefined || supersedes(version, mine)) wanted.push(version.nodeId);
    }
    for (const { record } of view.all()) {
      if (!isIn(buckets, record.nodeId)) continue;
      const version = theirs.get(record.nodeId);
      if (version === undefined || supersedes(record, { ...record, ...version })) records.push(record);
    }
    if (wanted.length > 0 || records.length > 0) this.#send(from, wanted, records);
  }

  takeRecords(from: number, wanted: readonly number[], records: readonly Member[]): void {
    for (const record of records) this.#learning.learn(record);
    const found: Member[] = [];
    for (const nodeId of wanted) {
      const record = this.#context.recordOf(nodeId);
      if (record !== undefined) found.push(record);
    }
    if (found.length > 0) this.#send(from, [], found);
  }

  /** All that is known, for one who is new. */
  welcome(to: number): void {
    const all = [...this.#context.view.all()].map(({ record }) => record);
    // Those who are present first: with them the new one can go on by itself.
    all.sort((a, b) => Number(isPresent(b.state)) - Number(isPresent(a.state)));
    for (const records of framesOf(all)) this.#context.send([to], { type: 'welcome', records });
  }

  #send(to: number, wanted: readonly number[], records: readonly Member[]): void {
    const frames = framesOf(records);
    if (frames.length === 0) frames.push([]);
    frames.forEach((part, i) => {
      this.#context.send([to], { type: 'records', wanted: i === 0 ? wanted : [], records: part });
    });
  }
}

function framesOf(records: readonly Member[]): Member[][] {
  const frames: Member[][] = [];
  let left = 0;
  for (const record of records) {
    const bytes = recordBytes(record);
    if (bytes > left) {
      frames.push([]);
      left = frameBytes;
    }
    left -= bytes;
    frames.at(-1)?.push(record);
  }
  return frames;
}
