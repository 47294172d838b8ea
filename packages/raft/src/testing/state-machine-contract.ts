import type { ContractCase } from '@shanghai/env/testing';
import { emptyConfState } from '../core/configuration/configuration.js';
import { type Entry, noData, type Snapshot } from '../core/entry.js';
import type { StateMachine } from '../ports/state-machine.js';

/** What a case runs against. */
export interface StateMachineSubject {
  /** A new state machine, empty, at each call. */
  open(): Promise<StateMachine<unknown>>;
  /** A command that changes the state, a different one for each number. */
  command(number: number): Uint8Array;
}

/** Throws unless both are the same as JSON: this file cannot use an assertion library that a user may not have. */
function same(actual: unknown, expected: unknown): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`expected ${wanted}, got ${got}`);
}

function differ(a: unknown, b: unknown): void {
  if (JSON.stringify(a) === JSON.stringify(b))
    throw new Error(`expected two different states, got ${JSON.stringify(a)}`);
}

/** The state, as the bytes that a snapshot carries. */
async function stateOf(machine: StateMachine<unknown>): Promise<Uint8Array> {
  const { metadata } = snapshotOf(machine.appliedIndex, noData);
  const taken = await machine.snapshot(metadata);
  await taken.source?.release();
  return taken.data;
}

function snapshotOf(index: number, data: Uint8Array): Snapshot {
  return { metadata: { index, term: 1, confState: emptyConfState }, data };
}

/** What every `StateMachine` does. Its state is compared by its snapshots. */
export const stateMachineContract: readonly ContractCase<StateMachineSubject>[] = [
  contractCase('gives a result for each entry, and holds what it applied', async ({ open }, entries) => {
    const machine = await open();
    same(machine.appliedIndex, 0);
    const empty = [...(await stateOf(machine))];
    same((await machine.apply(entries.slice(0, 3))).length, 3);
    same(machine.appliedIndex, 3);
    differ([...(await stateOf(machine))], empty);
  }),
  contractCase('is the same on every node, however the entries are divided', async ({ open }, entries) => {
    const [one, two] = [await open(), await open()];
    const results = await one.apply(entries);
    const others = [];
    for (const entry of entries) others.push(...(await two.apply([entry])));
    same(others, results);
    same([...(await stateOf(two))], [...(await stateOf(one))]);
  }),
  contractCase('applies no entry twice', async ({ open }, entries) => {
    const machine = await open();
    await machine.apply(entries);
    const before = [...(await stateOf(machine))];
    same(
      (await machine.apply(entries)).map((result) => result ?? null),
      entries.map(() => null),
    );
    same([...(await stateOf(machine)), machine.appliedIndex], [...before, entries.length]);
  }),
  contractCase('entries without data, and configuration changes, only move the index', async ({ open }) => {
    const machine = await open();
    const before = [...(await stateOf(machine))];
    await machine.apply([
      { index: 1, term: 1, type: 'EntryNormal', data: noData },
      { index: 2, term: 1, type: 'EntryConfChangeV2', data: Uint8Array.of(1, 0, 0, 0) },
    ]);
    same([...(await stateOf(machine)), machine.appliedIndex], [...before, 2]);
  }),
  contractCase('a snapshot is the whole state, and stays as it was taken', async ({ open }, entries) => {
    const [one, two] = [await open(), await open()];
    await one.apply(entries.slice(0, 3));
    const taken = await stateOf(one);
    const before = [...taken];
    await one.apply(entries.slice(3));
    same([...taken], before);
    await two.restore(snapshotOf(3, taken));
    same([two.appliedIndex, ...(await stateOf(two))], [3, ...before]);
    same([one.restored?.index ?? 0, two.restored?.index ?? 3, two.restored?.term ?? 1], [0, 3, 1]);
    await two.apply(entries.slice(3));
    same([...(await stateOf(two))], [...(await stateOf(one))]);
  }),
  contractCase('a snapshot that is not newer changes nothing', async ({ open }, entries) => {
    const [one, two] = [await open(), await open()];
    await one.apply(entries.slice(0, 2));
    await two.apply(entries);
    const before = [...(await stateOf(two))];
    await two.restore(snapshotOf(2, await stateOf(one)));
    same([two.appliedIndex, ...(await stateOf(two))], [entries.length, ...before]);
  }),
];

function contractCase(
  name: string,
  check: (subject: StateMachineSubject, entries: readonly Entry[]) => Promise<void>,
): ContractCase<StateMachineSubject> {
  return {
    name,
    run: async (open) => {
      const subject = await open();
      const entries = [1, 2, 3, 4, 5].map((index): Entry => {
        return { index, term: 1, type: 'EntryNormal', data: subject.command(index) };
      });
      await check(subject, entries);
    },
  };
}
