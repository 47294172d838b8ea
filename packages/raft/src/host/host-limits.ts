import type { HostLimits } from './host-options.js';

const mebibyte = 1_048_576;

/** What a host does where nobody says otherwise. */
export const defaultHostLimits: HostLimits = {
  tickMs: 100,
  electionTicks: 10,
  stallStepDownMs: 1_000,
  stallFatalMs: 20_000,
  proposalTimeoutMs: 10_000,
  maxProposals: 8_192,
  maxProposalBytes: 64 * mebibyte,
  maxEntryBytes: 32 * mebibyte,
  maxAppendBytes: mebibyte / 4,
  maxInflightAppends: 64,
  maxInflightBytes: 16 * mebibyte,
  commitDelayMs: 5,
  maxApplyBytes: 8 * mebibyte,
  compactBytes: 16 * mebibyte,
  trailingEntries: 10_000,
  trailingBytes: 16 * mebibyte,
  sleepTicks: 20,
  maxSnapshotsSent: 2,
};

/** May be 0; all others are at least 1. */
const zeroable: readonly (keyof HostLimits)[] = [
  'commitDelayMs',
  'compactBytes',
  'trailingEntries',
  'trailingBytes',
  'sleepTicks',
];

/** Fills in defaults. Throws `RangeError` for what is out of range. */
export function resolveHostLimits(given: Partial<HostLimits> = {}): HostLimits {
  const base = { ...defaultHostLimits, ...given };
  const limits = { ...base, stallStepDownMs: given.stallStepDownMs ?? base.tickMs * base.electionTicks };
  for (const [name, value] of Object.entries(limits)) {
    const least = zeroable.includes(name as keyof HostLimits) ? 0 : 1;
    if (!(value >= least)) throw new RangeError(`${name} must be at least ${least}, not ${value}`);
  }
  if (limits.electionTicks < 2) throw new RangeError(`electionTicks must be at least 2, not ${limits.electionTicks}`);
  if (limits.maxInflightBytes < limits.maxAppendBytes) {
    throw new RangeError(`maxInflightBytes must be at least maxAppendBytes (${limits.maxAppendBytes})`);
  }
  return limits;
}
