/**
 * Who observes whom: the members in the order of a hash of their ids, in a circle. A hash, and not the ids themselves,
 * because machines that fail together were often set up one after the other.
 */
import { mix } from './mix.js';

interface Place {
  readonly nodeId: number;
  readonly hash: number;
}

/** The circle of those who are present. */
export class Ring {
  readonly #places: Place[] = [];
  #version = 0;

  /** Another number after each change. */
  get version(): number {
    return this.#version;
  }

  get size(): number {
    return this.#places.length;
  }

  /** The node at a place in [0, size). */
  at(index: number): number {
    return (this.#places[index] as Place).nodeId;
  }

  has(nodeId: number): boolean {
    return this.#places[this.#indexOf(nodeId)]?.nodeId === nodeId;
  }

  /** Idempotent. */
  add(nodeId: number): void {
    const index = this.#indexOf(nodeId);
    if (this.#places[index]?.nodeId === nodeId) return;
    this.#places.splice(index, 0, { nodeId, hash: mix(nodeId) });
    this.#version++;
  }

  /** Idempotent. */
  remove(nodeId: number): void {
    const index = this.#indexOf(nodeId);
    if (this.#places[index]?.nodeId !== nodeId) return;
    this.#places.splice(index, 1);
    this.#version++;
  }

  /** The observers of a node, which need not be on the ring itself: up to `count` others behind it. */
  after(nodeId: number, count: number): number[] {
    return this.#others(nodeId, count, 1);
  }

  /** Those whom a node observes: up to `count` others before it. */
  before(nodeId: number, count: number): number[] {
    return this.#others(nodeId, count, -1);
  }

  #others(nodeId: number, count: number, step: 1 | -1): number[] {
    const size = this.#places.length;
    const index = this.#indexOf(nodeId);
    const isHere = this.#places[index]?.nodeId === nodeId;
    const wanted = Math.min(count, isHere ? size - 1 : size);
    const first = step === -1 ? index - 1 : isHere ? index + 1 : index;
    const found: number[] = [];
    for (let i = 0; i < wanted; i++) found.push(this.at((first + i * step + 2 * size) % size));
    return found;
  }

  /** Where a node is, or would be. */
  #indexOf(nodeId: number): number {
    const hash = mix(nodeId);
    let [low, high] = [0, this.#places.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const place = this.#places[middle] as Place;
      if (place.hash < hash || (place.hash === hash && place.nodeId < nodeId)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
