/** Trims, producers and consumers of logs in memory, which have one origin, 0, and one epoch, 1. */
import type { ConsumerDescription, LogPosition, SeekConsumerRequest } from '@shanghai/proto';
import type { UnaryMethods } from '../transport.js';
import { refusal } from './memory-error.js';
import type { MemoryLog, MemoryLogs } from './memory-logs.js';

type UpkeepMethod =
  | 'trimLog'
  | 'describeProducer'
  | 'commitPosition'
  | 'getPosition'
  | 'listConsumers'
  | 'seekConsumer'
  | 'deleteConsumer';

/** What answers them. */
export function upkeepHandlers(logs: MemoryLogs): {
  [Method in UpkeepMethod]: (request: UnaryMethods[Method][0]) => UnaryMethods[Method][1];
} {
  return {
    trimLog: ({ log: name, firstSequence }) => {
      const log = logs.find(name);
      const upTo = Math.min(Number(firstSequence) - 1, endOf(log));
      if (upTo > log.trimmed) logs.trim(name, upTo);
      return { firstSequence: BigInt(log.trimmed + 1), lastSequence: BigInt(endOf(log)), origins: [] };
    },
    describeProducer: ({ log, producerId }) => {
      const last = logs.find(log).lastSent.get(producerId);
      const { epoch = 0n, sequence: lastSequence = 0n, logSequence = 0n } = last ?? {};
      return { found: last !== undefined, epoch, lastSequence, logSequence, timeMs: 0n };
    },
    commitPosition: ({ log: name, consumer, generation, positions }) => {
      const log = logs.find(name);
      const known = log.consumers.get(consumer);
      const present = known?.generation ?? 1n;
      if (generation !== 0n && generation !== present) {
        throw refusal('CONFLICT', 'another generation', { generation: Number(present) });
      }
      const highest = Math.max(Number(sequenceOf(positions)), Number(sequenceOf(known?.positions ?? [])));
      return put(log, consumer, present, BigInt(highest));
    },
    getPosition: ({ log: name, consumer }) => {
      const known = logs.find(name).consumers.get(consumer);
      if (known === undefined) throw refusal('NOT_FOUND', 'no such consumer', { log: name, consumer });
      return { consumer: known };
    },
    listConsumers: ({ log, prefix }) => {
      const all = [...logs.find(log).consumers.values()].filter(({ name }) => name.startsWith(prefix));
      return { consumers: all.sort((a, b) => (a.name < b.name ? -1 : 1)) };
    },
    seekConsumer: ({ log: name, consumer, to, dryRun }) => {
      const log = logs.find(name);
      const known = log.consumers.get(consumer);
      const earlierPositions = known?.positions ?? [];
      const sequence = destination(log, to);
      const generation = (known?.generation ?? 0n) + 1n;
      if (dryRun) return { generation: known?.generation ?? 0n, positions: at(sequence), earlierPositions };
      return { ...put(log, consumer, generation, sequence), earlierPositions };
    },
    deleteConsumer: ({ log, consumer }) => {
      logs.find(log).consumers.delete(consumer);
      return {};
    },
  };
}

function put(log: MemoryLog, name: string, generation: bigint, sequence: bigint) {
  const behind = BigInt(endOf(log)) - sequence;
  const lag = { origin: 0n, epoch: 1n, entries: behind, milliseconds: undefined, lostEntries: 0n };
  const consumer: ConsumerDescription = {
    name,
    generation,
    positions: at(sequence),
    committedAtMs: 0n,
    lags: [lag],
  };
  log.consumers.set(name, consumer);
  return { generation, positions: consumer.positions };
}

function destination(log: MemoryLog, to: SeekConsumerRequest['to']): bigint {
  switch (to?.$case) {
    case undefined:
      return BigInt(log.trimmed);
    case 'end':
      return BigInt(endOf(log));
    case 'timeMs': {
      const next = log.entries.findIndex(({ timeMs }) => timeMs >= to.value);
      return BigInt(next === -1 ? endOf(log) : log.trimmed + next);
    }
    case 'positions':
      return sequenceOf(to.value.positions);
  }
}

function sequenceOf(positions: readonly LogPosition[]): bigint {
  return positions[0]?.sequence ?? 0n;
}

function at(sequence: bigint): LogPosition[] {
  return [{ origin: 0n, epoch: 1n, sequence }];
}

function endOf({ trimmed, entries }: MemoryLog): number {
  return trimmed + entries.length;
}
