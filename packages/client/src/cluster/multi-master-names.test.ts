import { createManualClock } from '@shanghai/env/testing';
import { LogMode } from '@shanghai/proto';
import { expect, test } from 'vitest';
import type { Channel } from '../transport.js';
import type { ClusterNode } from './cluster-node.js';
import { MultiMasterNames } from './multi-master-names.js';

/** A node that says of every log that it is of this mode, or fails. */
function setUp(answer: { mode: LogMode | Error }) {
  const clock = createManualClock();
  const asked: string[] = [];
  const call = async (method: string, { name }: { readonly name: string }) => {
    asked.push(`${method} ${name}`);
    if (answer.mode instanceof Error) throw answer.mode;
    return { log: { settings: { mode: answer.mode } } };
  };
  const node = { channel: { call } as unknown as Channel } as ClusterNode;
  const nearest = { target: () => node, failed: () => undefined, refused: () => 'wait' as const };
  const { logs } = new MultiMasterNames({ nearest, clock, closing: new AbortController().signal });
  return { clock, asked, logs };
}

test('a log is asked about once, by all that want to know together, and known from then on', async () => {
  const { clock, asked, logs } = setUp({ mode: LogMode.LOG_MODE_MULTI_MASTER });
  expect(await Promise.all([logs.isMultiMaster('a'), logs.isMultiMaster('a')])).toEqual([true, true]);
  expect(logs.isMultiMaster('a')).toBe(true);
  await clock.advance(3_600_000);
  expect(logs.isMultiMaster('a')).toBe(true);
  expect(asked).toEqual(['describeLog a']);
  logs.forget('a');
  expect(await logs.isMultiMaster('a')).toBe(true);
  expect(asked.length).toBe(2);
});

test('what a node cannot say counts as ordered by a leader, for a while', async () => {
  const answer: { mode: LogMode | Error } = { mode: new Error('not heard of') };
  const { clock, asked, logs } = setUp(answer);
  expect(await logs.isMultiMaster('a')).toBe(false);
  expect(logs.isMultiMaster('a')).toBe(false);
  answer.mode = LogMode.LOG_MODE_MULTI_MASTER;
  await clock.advance(5_000);
  // Nobody waits for what is asked again.
  expect(logs.isMultiMaster('a')).toBe(false);
  await clock.advance(0);
  expect(logs.isMultiMaster('a')).toBe(true);
  expect(asked.length).toBe(2);
});

test('what somebody made is known without a question', async () => {
  const { asked, logs } = setUp({ mode: LogMode.LOG_MODE_QUORUM });
  logs.learn('a', true);
  expect(logs.isMultiMaster('a')).toBe(true);
  expect(await logs.isMultiMaster('b')).toBe(false);
  expect(asked).toEqual(['describeLog b']);
});
