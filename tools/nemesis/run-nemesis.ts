/**
 * One run: nodes in a network and on disks that can be broken, clients that work all the time, faults by a schedule; then
 * everything is healed, and what was acknowledged is looked for.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BadHistory } from '../simulator/cluster/recorder.js';
import { describeHistory } from '../simulator/cluster/recorder.js';
import { settleMembers } from './change-members.js';
import { ClusterUnderTest } from './cluster-under-test.js';
import { compareReplicas } from './compare-replicas.js';
import { openDataDisks } from './data-disks.js';
import { directoryPrefix } from './leftovers.js';
import { LyingProxy, type OldAnswers } from './lying-proxy.js';
import { ManyMasters } from './many/many-masters.js';
import { openNamespaces } from './namespaces.js';
import { type NemesisOptions, repeatCommand } from './nemesis-options.js';
import type { Network } from './network.js';
import type { NodeProcess } from './node-process.js';
import { performFault } from './perform-fault.js';
import { openProxies } from './proxies.js';
import { failoverTimes, gapsOf, type NemesisReport, writeReport } from './report.js';
import { describeStep, drawSchedule, type Step } from './schedule.js';
import type { FaultSpan } from './timeline-picture.js';
import { Workload } from './workload.js';

/** A healed cluster must have come to itself in this time, on a machine that has other work too. */
const recoveryMs = 120_000;
/** A disk that does not answer, or has no space, may end a node; so much later it is still its fault. */
const diskBlameMs = 30_000;

/** Shorter times without an acknowledged write are not of note. */
const leastGapMs = 2_000;
/** What else happens so near to a kill is part of its failover. */
const nearMs = 3_000;
/** Places for nodes that join. */
const sparePlaces = 6;
/** Exit code of a node that could not join. */
const joinFailedCode = 7;

/** See above. Whoever made one must `remove` it, whatever `run` did. */
export class NemesisRun {
  readonly #options: NemesisOptions;
  readonly #say: (line: string) => void;
  readonly #cleanUp: (() => Promise<void> | void)[] = [];
  readonly #startedAt = new Date().toISOString();
  readonly #findings: string[] = [];
  readonly #notes: string[] = [];
  readonly #events: string[] = [];
  readonly #spans: FaultSpan[] = [];
  readonly #faults = new Map<string, number>();
  readonly #killsMs: number[] = [];
  #startMs = performance.now();
  #lastDiskFaultMs = Number.NEGATIVE_INFINITY;
  #isOver = false;
  #isInterrupted = false;

  constructor(options: NemesisOptions, say: (line: string) => void) {
    this.#options = options;
    this.#say = say;
  }

  /** Does it all. Rejects where nothing could be judged. */
  async run(): Promise<NemesisReport> {
    const options = this.#options;
    const directory = mkdtempSync(join(tmpdir(), `${directoryPrefix}${process.pid}-`));
    let isBad = true;
    this.#cleanUp.push(() => {
      if ((!isBad || this.#isInterrupted) && !options.keep) rmSync(directory, { recursive: true, force: true });
      else this.#say(`what the nodes said is in ${directory}`);
    });
    const cluster = await this.#makeCluster(directory);
    const workload = await this.#makeWorkload(cluster);
    for (const id of cluster.members) cluster.node(id).start();
    const leader = await cluster.waitForLeader(recoveryMs);
    const many = options.multiMaster ? this.#makeManyMasters(cluster) : undefined;
    await many?.start();
    if (options.faults.includes('change')) await cluster.ctl(['node', 'replication', `${options.nodes}`]);
    this.#event(`node ${leader} leads; clients begin`);
    this.#startMs = performance.now();
    workload.start();
    const schedule = this.#drawSchedule();
    await Promise.all([
      ...schedule.map((step) => this.#perform(cluster, step, isAlone(step, schedule))),
      sleep(options.seconds * 1000),
    ]);
    const faultsEndMs = performance.now();
    this.#event('everything is healed');
    const bad = await this.#judge(cluster, workload, many);
    for (const [what, count] of many?.counts ?? []) workload.counts.set(what, count);
    const report = this.#report(cluster, workload, schedule, bad, faultsEndMs);
    isBad = report.verdict !== 'ok';
    if (isBad || options.keep || options.reportDirectory !== undefined) {
      const { undecidedHistories } = workload.recorder;
      const timeOf = (position: number) => {
        const timeMs = workload.recorder.timeOf(position);
        return timeMs === undefined ? undefined : timeMs - this.#startMs;
      };
      const timeline = { timeOf, faults: this.#spans };
      for (const path of writeReport(options.reportDirectory ?? directory, report, bad, undecidedHistories, timeline))
        this.#say(`wrote ${path}`);
    }
    return report;
  }

  /** Ends the nodes and takes everything away that was made, of an interrupted run also what the nodes said. Idempotent. */
  async remove({ isInterrupted = false } = {}): Promise<void> {
    this.#isOver = true;
    this.#isInterrupted = isInterrupted;
    for (const step of this.#cleanUp.splice(0).reverse()) {
      await Promise.resolve(step()).catch((error: unknown) => this.#say(`cleaning up: ${(error as Error).message}`));
    }
  }

  async #makeCluster(directory: string): Promise<ClusterUnderTest> {
    const { nodes, faults, tickMs, electionTicks } = this.#options;
    const places = nodes + (faults.includes('change') ? sparePlaces : 0);
    const network = await this.#makeNetwork(places);
    this.#cleanUp.push(() => network.remove());
    const { disks, why } = await openDataDisks(directory, places, faults.includes('disk'));
    if (why !== undefined) this.#note(`no faults of disks: ${why}`);
    this.#cleanUp.push(async () => {
      for (const disk of disks) await disk.remove();
    });
    const onEnd = (node: NodeProcess, code: number | null, signal: NodeJS.Signals | null) =>
      this.#onEnd(cluster, node, code, signal);
    const cluster: ClusterUnderTest = new ClusterUnderTest({
      directory,
      network,
      disks,
      nodes,
      tickMs,
      electionTicks,
      onEnd,
    });
    this.#cleanUp.push(async () => {
      for (const disk of disks) await disk.thaw();
      await Promise.all(cluster.nodes.map((node) => node.kill()));
    });
    return cluster;
  }

  async #makeNetwork(places: number): Promise<Network> {
    const { network } = this.#options;
    if (network !== 'proxies') {
      try {
        return await openNamespaces(places);
      } catch (error) {
        if (network === 'namespaces') throw error;
        this.#note(`no network namespaces, proxies instead: ${(error as Error).message}`);
      }
    }
    return await openProxies(places);
  }

  async #makeWorkload(cluster: ClusterUnderTest): Promise<Workload> {
    const { seed, clients, meanPauseMs, lie } = this.#options;
    const nodes = cluster.nodes.map(({ id }) => ({ ...cluster.network.clientAddressOf(id) }));
    if (lie) await this.#lie(nodes);
    const workload = new Workload({ seed, clients, nodes, meanPauseMs });
    this.#cleanUp.push(() => workload.close());
    return workload;
  }

  #makeManyMasters(cluster: ClusterUnderTest): ManyMasters {
    const { seed, meanPauseMs } = this.#options;
    const many = new ManyMasters(cluster, { seed, meanPauseMs });
    this.#cleanUp.push(() => many.close());
    return many;
  }

  async #lie(nodes: { http: string; readonly grpc: string }[]): Promise<void> {
    const old: OldAnswers = new Map();
    for (const node of nodes) {
      const proxy = await LyingProxy.open(node.http, old);
      this.#cleanUp.push(() => proxy.close());
      node.http = proxy.address;
    }
    this.#note('some answers over HTTP are replaced by old ones: a violation is what must be found');
  }

  #drawSchedule(): readonly Step[] {
    const { seed, nodes, seconds, faults, tickMs, electionTicks } = this.#options;
    const electionMs = tickMs * electionTicks;
    return drawSchedule({ seed, nodes, seconds, kinds: faults, electionMs });
  }

  async #perform(cluster: ClusterUnderTest, step: Step, alone: boolean): Promise<void> {
    await sleep(Math.max(0, this.#startMs + step.atMs - performance.now()));
    if (this.#isOver) return;
    if (step.fault.kind === 'disk') this.#lastDiskFaultMs = Number.POSITIVE_INFINITY;
    try {
      const done = await performFault(cluster, step.fault);
      if (done === undefined) return;
      const name =
        'shape' in step.fault
          ? `partition ${step.fault.shape}`
          : 'what' in step.fault
            ? `${step.fault.kind} ${step.fault.what}`
            : step.fault.kind;
      this.#faults.set(name, (this.#faults.get(name) ?? 0) + 1);
      this.#event(done.what);
      const fromMs = performance.now() - this.#startMs;
      const span: FaultSpan = { what: done.what, fromMs, toMs: Number.POSITIVE_INFINITY };
      this.#spans.push(span);
      if (done.killedLeader !== undefined && alone) this.#killsMs.push(performance.now());
      await sleep(step.forMs);
      await done.heal();
      span.toMs = performance.now() - this.#startMs;
      this.#event(`healed: ${done.what}`);
    } catch (error) {
      if (!this.#isOver) this.#note(`a fault could not be done or undone: ${(error as Error).message}`);
    } finally {
      if (step.fault.kind === 'disk') this.#lastDiskFaultMs = performance.now();
    }
  }

  #onEnd(cluster: ClusterUnderTest, node: NodeProcess, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#isOver) return;
    const how = `node ${node.id} ended by itself (${signal ?? `code ${code}`})`;
    if (cluster.leaving.has(node.id)) {
      this.#event(`${how}; it was to leave`);
      return;
    }
    const isDisk = performance.now() - this.#lastDiskFaultMs < diskBlameMs;
    this.#event(`${how}, and is started again`);
    if (isDisk) this.#note(`${how}, while its disk was at fault`);
    else if (code === joinFailedCode) this.#note(`${how}, because nobody took it in yet`);
    else this.#findings.push(`${how}; its last words:\n${node.lastWords()}`);
    setTimeout(() => {
      if (!this.#isOver) node.start();
    }, 500);
  }

  async #judge(
    cluster: ClusterUnderTest,
    workload: Workload,
    many: ManyMasters | undefined,
  ): Promise<readonly BadHistory[]> {
    await Promise.all(cluster.members.map((id) => cluster.node(id).restart()));
    await Promise.all([workload.stop(), many?.stop()]);
    await this.#look((isOverdue) => this.#settle(cluster, isOverdue));
    const defects = [...workload.defects, ...(many?.defects ?? [])];
    this.#findings.push(...defects.map((defect) => `a client was told what may not be: ${String(defect)}`));
    await this.#look((isOverdue) => workload.readEverything(isOverdue));
    await this.#look(async (isOverdue) => this.#event(await compareReplicas(cluster, isOverdue)));
    if (many !== undefined) {
      await this.#look(async (isOverdue) => {
        for (const said of await many.check(isOverdue)) this.#event(said);
      });
    }
    this.#event('histories are checked');
    const bad = [...workload.recorder.violations()];
    for (const { family, history, longest } of bad) this.#findings.push(describeHistory(family, history, longest));
    return bad;
  }

  /** Whoever was to leave and did not is a member like others; whoever left does not run. */
  async #settle(cluster: ClusterUnderTest, isOverdue: () => boolean): Promise<void> {
    if (!this.#options.faults.includes('change')) return;
    const members = await settleMembers(cluster, isOverdue);
    this.#event(`the members are ${members.join(', ')}`);
    cluster.members.splice(0, cluster.members.length, ...members);
    for (const node of cluster.nodes) {
      if (members.includes(node.id)) {
        cluster.leaving.delete(node.id);
        await node.restart();
      } else {
        cluster.leaving.add(node.id);
        await node.kill();
      }
    }
  }

  async #look(look: (isOverdue: () => boolean) => Promise<void>): Promise<void> {
    const endMs = performance.now() + recoveryMs;
    try {
      await look(() => performance.now() > endMs);
    } catch (error) {
      this.#findings.push((error as Error).message);
    }
  }

  #report(
    cluster: ClusterUnderTest,
    { recorder, counts, families }: Workload,
    schedule: readonly Step[],
    bad: readonly BadHistory[],
    endMs: number,
  ): NemesisReport {
    const { seconds, nodes, seed } = this.#options;
    const isFound = bad.length > 0 || this.#findings.length > 0;
    return {
      verdict: isFound ? 'violation' : recorder.undecided > 0 ? 'undecided' : 'ok',
      command: repeatCommand(this.#options),
      startedAt: this.#startedAt,
      seconds,
      nodes,
      seed,
      network: cluster.network.description,
      schedule: schedule.map(describeStep),
      events: this.#events,
      findings: this.#findings,
      notes: this.#notes,
      operations: recorder.operations,
      acknowledgedWrites: recorder.acknowledged.length,
      unknown: recorder.unknown,
      undecidedFamilies: recorder.undecided,
      families: families.all.length,
      counts: Object.fromEntries(counts),
      faults: Object.fromEntries(this.#faults),
      failoverMs: failoverTimes(this.#killsMs, recorder.acknowledged),
      gaps: gapsOf(this.#startMs, endMs, recorder.acknowledged, leastGapMs),
    };
  }

  #event(what: string): void {
    const line = `${((performance.now() - this.#startMs) / 1000).toFixed(2).padStart(8)} s  ${what}`;
    this.#events.push(line);
    this.#say(line);
  }

  #note(text: string): void {
    this.#notes.push(text);
    this.#say(`note: ${text}`);
  }
}

/** Whether no other fault is there, or comes, when a step has begun. */
function isAlone(step: Step, schedule: readonly Step[]): boolean {
  return schedule.every(
    (other) => other === step || other.atMs > step.atMs + nearMs || other.atMs + other.forMs < step.atMs - nearMs,
  );
}
