/** One decoder under mutated inputs. Every case has a seed of its own and can be repeated alone. */
import { isDeepStrictEqual } from 'node:util';
import { getHeapStatistics } from 'node:v8';
import { createSeededRandom } from '@shanghai/env';
import type { FuzzTarget } from './fuzz-target.js';
import { mutate } from './mutate.js';

/** What a case broke. */
export interface FuzzFinding {
  readonly target: string;
  readonly case: number;
  readonly what: string;
  readonly input: Uint8Array;
  readonly error?: unknown;
}

/** What became of the cases. */
export interface FuzzOutcome {
  readonly cases: number;
  readonly accepted: number;
  readonly refused: number;
  readonly findings: readonly FuzzFinding[];
}

/** How far a target is driven. */
export interface FuzzRun {
  readonly seed: number;
  /** The first case's number. */
  readonly from: number;
  readonly count: number;
  /** Stops before a case when it says so. */
  readonly isOver?: () => boolean;
  /** Told before each case. */
  readonly begins?: (target: string, number: number) => void;
}

/** So many findings of a target are enough to mend it. */
const maxFindings = 5;
/** A decoder may take so much memory, and so much more for each byte of its input. */
const memoryBaseBytes = 48 * 1024 * 1024;
const memoryPerByte = 256;
/** And so much time; generous, because other programs run beside. */
const slowMs = 3_000;

/** Runs cases `from` to `from + count` of a target. */
export async function runTarget(target: FuzzTarget, run: FuzzRun): Promise<FuzzOutcome> {
  const examples = await target.examples();
  if (examples.length === 0) throw new Error(`target '${target.name}' has no examples`);
  const findings: FuzzFinding[] = [];
  let cases = 0;
  let accepted = 0;
  for (let number = run.from; number < run.from + run.count && findings.length < maxFindings; number++) {
    if (run.isOver?.() === true) break;
    run.begins?.(target.name, number);
    const { input, example } = inputOf(target, examples, run.seed, number);
    const outcome = await judge(target, input, example);
    cases++;
    const isExample = number < examples.length;
    if (outcome === 'accepted') accepted++;
    else if (outcome === 'refused' && isExample) {
      findings.push({ target: target.name, case: number, input, what: 'an example was refused' });
    } else if (typeof outcome === 'object') findings.push({ target: target.name, case: number, input, ...outcome });
  }
  return { cases, accepted, refused: cases - accepted - findings.length, findings };
}

/** The first cases are the examples themselves, which must be accepted. */
function inputOf(target: FuzzTarget, examples: readonly Uint8Array[], seed: number, number: number) {
  if (number < examples.length) return { input: new Uint8Array(examples[number] as Uint8Array), example: number };
  const random = createSeededRandom(hash(`${seed} ${target.name} ${number}`));
  const example = random.below(examples.length);
  const input = mutate(examples[example] as Uint8Array, random, examples);
  if (target.seal !== undefined && random.below(3) > 0) target.seal(input, example);
  return { input, example };
}

type Judgement = 'accepted' | 'refused' | { readonly what: string; readonly error?: unknown };

async function judge(target: FuzzTarget, input: Uint8Array, example: number): Promise<Judgement> {
  const given = new Uint8Array(input);
  const usedBefore = usedBytes();
  const startedMs = performance.now();
  let value: unknown;
  try {
    const decoded = target.decode(given, example);
    const used = usedBytes() - usedBefore;
    if (used > memoryBaseBytes + memoryPerByte * input.length) {
      return { what: `took ${used} bytes of memory for ${input.length} bytes` };
    }
    value = await decoded;
  } catch (error) {
    if (!target.refusals.some((refusal) => error instanceof refusal)) {
      return { what: `threw ${error instanceof Error ? error.name : typeof error}`, error };
    }
    return tookLong(startedMs) ?? 'refused';
  }
  return tookLong(startedMs) ?? repeated(target, value, example) ?? 'accepted';
}

function tookLong(startedMs: number): Judgement | undefined {
  const ms = performance.now() - startedMs;
  return ms > slowMs ? { what: `took ${Math.round(ms)} ms` } : undefined;
}

/** Whether encoding and decoding once more gives the same value. */
function repeated(target: FuzzTarget, value: unknown, example: number): Judgement | undefined {
  if (target.encode === undefined) return undefined;
  try {
    const again = target.decode(target.encode(value as never), example);
    return isDeepStrictEqual(again, value) ? undefined : { what: 'decodes differently when it was encoded again' };
  } catch (error) {
    return { what: 'cannot be decoded when it was encoded again', error };
  }
}

function usedBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}

/** A 32-bit number of a text: FNV-1a. */
function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return sum >>> 0;
}
