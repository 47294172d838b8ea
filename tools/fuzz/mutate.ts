/** Bytes that are nearly right. */
import type { Random } from '@shanghai/env';

const edges = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
/** Inputs do not grow beyond this by splicing. */
const maxBytes = 262_144;

type Mutation = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array;

const mutations: readonly Mutation[] = [
  flipBit,
  flipBit,
  setByte,
  setInteger,
  nudgeInteger,
  cut,
  cut,
  truncate,
  insert,
  repeat,
  splice,
  swap,
];

/** A copy of `bytes` with one to five changes; `others` are spliced in. */
export function mutate(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  // `slice` of a Buffer would be a view.
  let mutated: Uint8Array = new Uint8Array(bytes);
  // Small changes reach deeper, so they are more frequent.
  const changes = 1 + Math.floor(random.float() ** 2 * 5);
  for (let i = 0; i < changes; i++) {
    const change = mutations[random.below(mutations.length)] as Mutation;
    mutated = change(mutated, random, others);
  }
  return mutated.length > maxBytes ? mutated.slice(0, maxBytes) : mutated;
}

/** A position in [0, length). */
function place(bytes: Uint8Array, random: Random): number {
  return random.below(Math.max(1, bytes.length));
}

function flipBit(bytes: Uint8Array, random: Random): Uint8Array {
  const at = place(bytes, random);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes;
}

function setByte(bytes: Uint8Array, random: Random): Uint8Array {
  bytes[place(bytes, random)] = random.below(2) === 0 ? random.below(256) : (edges[random.below(5)] as number);
  return bytes;
}

function setInteger(bytes: Uint8Array, random: Random): Uint8Array {
  const width = [2, 4, 8][random.below(3)] as number;
  if (bytes.length < width) return bytes;
  const at = random.below(bytes.length - width + 1);
  writeInteger(bytes, at, width, edges[random.below(edges.length)] as number, random.below(4) > 0);
  return bytes;
}

/** Lengths are mostly small, and what breaks is one more or less. */
function nudgeInteger(bytes: Uint8Array, random: Random): Uint8Array {
  const at = place(bytes, random);
  bytes[at] = ((bytes[at] ?? 0) + random.below(5) - 2) & 0xff;
  return bytes;
}

function cut(bytes: Uint8Array, random: Random): Uint8Array {
  const at = place(bytes, random);
  const end = Math.min(bytes.length, at + 1 + random.below(1 + random.below(64)));
  return joined(bytes.subarray(0, at), bytes.subarray(end));
}

function truncate(bytes: Uint8Array, random: Random): Uint8Array {
  return bytes.slice(0, place(bytes, random));
}

function insert(bytes: Uint8Array, random: Random): Uint8Array {
  const at = place(bytes, random);
  return joined(bytes.subarray(0, at), random.bytes(1 + random.below(16)), bytes.subarray(at));
}

function repeat(bytes: Uint8Array, random: Random): Uint8Array {
  const at = place(bytes, random);
  const part = new Uint8Array(bytes).subarray(at, at + 1 + random.below(64));
  const times = 1 + random.below(random.below(8) === 0 ? 200 : 3);
  return joined(bytes.subarray(0, at), ...Array.from({ length: times }, () => part), bytes.subarray(at));
}

function splice(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  const other = others[random.below(Math.max(1, others.length))] ?? bytes;
  const from = place(other, random);
  const part = other.subarray(from, from + 1 + random.below(Math.max(1, other.length - from)));
  const at = place(bytes, random);
  const kept = random.below(2) === 0 ? at : Math.min(bytes.length, at + part.length);
  return joined(bytes.subarray(0, at), part, bytes.subarray(kept));
}

function swap(bytes: Uint8Array, random: Random): Uint8Array {
  const [first, second] = [place(bytes, random), place(bytes, random)];
  const length = Math.min(1 + random.below(16), bytes.length - Math.max(first, second));
  const held = bytes.slice(first, first + length);
  bytes.copyWithin(first, second, second + length);
  bytes.set(held, second);
  return bytes;
}

function writeInteger(bytes: Uint8Array, at: number, width: number, value: number, isLittle: boolean): void {
  let rest = value;
  for (let i = 0; i < width; i++) {
    bytes[isLittle ? at + i : at + width - 1 - i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
