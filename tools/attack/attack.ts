/** What an attack is: what it does to nodes that serve others, and which answers to it are right. */
import type { Random } from '@shanghai/env';

/** Where a node listens, `host:port`, and who it says it is. */
export interface Target {
  readonly nodeId: number;
  readonly http: string;
  readonly grpc: string;
  /** Absent: it has no peers. */
  readonly peer?: string;
  readonly clusterId: string;
  readonly instanceId: string;
}

/** What an attack works with. */
export interface Field {
  /** The node that leads the keys comes first. */
  readonly targets: readonly [Target, ...Target[]];
  readonly random: Random;
  /** 1: as much as a real cluster is to stand; less where it is to be quick. Counts are multiplied by it. */
  readonly scale: number;
  /** Notes how one request, connection or message ended. */
  told(answer: string): void;
}

/** One kind of attack. */
export interface Attack {
  readonly name: string;
  readonly what: string;
  /** Every answer is one of these; another one is a finding. */
  readonly answers: RegExp;
  /** Ends when all that it began is over or given up. Rejects only where the attack itself cannot be made. */
  run(field: Field): Promise<void>;
}

/** A count by the field's scale, at least 1. */
export function scaled(field: Field, count: number): number {
  return Math.max(1, Math.round(count * field.scale));
}

/** The target whose turn it is. */
export function targetOf(field: Field, turn: number): Target {
  return field.targets[turn % field.targets.length] as Target;
}

/** Does `work` for the numbers below `count`, so many at a time. */
export async function atOnce(count: number, parallel: number, work: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let number = next++; number < count; number = next++) await work(number);
  };
  await Promise.all(Array.from({ length: Math.min(parallel, count) }, worker));
}

/** Splits `host:port`. */
export function hostAndPortOf(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}
