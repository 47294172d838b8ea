/** Whether a node can take requests, as named checks. The names are part of the interface. */
import type { ReadinessCheck } from './node.js';
import type { CommandLogStatus } from './raft/command-log.js';

/** What the checks look at. */
export interface ReadinessParts {
  readonly isClosing: boolean;
  /** Whether the cluster is made and this node's groups know its settings. */
  readonly isMade: boolean;
  /** First members that were not heard yet, without whom it is not made. */
  readonly awaited: readonly number[];
  readonly walState: string;
  readonly groups: readonly (Pick<
    CommandLogStatus,
    'state' | 'isStalled' | 'leaderNodeId' | 'commitIndex' | 'appliedIndex'
  > & { readonly groupId: number })[];
}

/** A replica that has so many committed entries to apply is too far behind to be asked. */
export const maxLagEntries = 10_000;

/** All checks, always the same ones in the same order. */
export function readinessChecks(parts: ReadinessParts): readonly ReadinessCheck[] {
  const { isClosing, isMade, awaited, walState, groups } = parts;
  const broken = groups.filter(({ state }) => state === 'failed' || state === 'closed');
  const isWalOpen = walState === 'open';
  return [
    check('accepting', !isClosing, 'requests are taken', 'the node is closing'),
    check(
      'storage',
      isWalOpen && broken.length === 0,
      'open',
      isWalOpen
        ? `${names(broken)} failed; see the log, restart the node`
        : `the write-ahead log is ${walState}; restart the node`,
    ),
    checkGroups('space', groups, ({ state }) => state === 'full', 'there is space', 'the disk is full'),
    checkGroups('disk', groups, ({ isStalled }) => isStalled, 'the disk answers', 'the disk does not answer'),
    check('cluster', isMade, 'it is made', `it is being made; all of its first members must be up${unheard(awaited)}`),
    checkGroups('leader', groups, ({ leaderNodeId }) => leaderNodeId === 0, 'known for every group', 'there is none'),
    checkGroups('applied', groups, isBehind, 'close to what is committed', 'too much is committed and not applied'),
  ];
}

function unheard(awaited: readonly number[]): string {
  return awaited.length === 0 ? '' : `; not heard yet: node ${awaited.join(', ')}`;
}

function isBehind({ state, commitIndex, appliedIndex }: ReadinessParts['groups'][number]): boolean {
  return state === 'restoring' || commitIndex - appliedIndex > maxLagEntries;
}

function checkGroups(
  name: string,
  groups: ReadinessParts['groups'],
  fails: (group: ReadinessParts['groups'][number]) => boolean,
  holds: string,
  failure: string,
): ReadinessCheck {
  const failing = groups.filter(fails);
  return check(name, failing.length === 0, holds, `${failure} (${names(failing)})`);
}

function names(groups: readonly { readonly groupId: number }[]): string {
  return `${groups.length === 1 ? 'group' : 'groups'} ${groups.map(({ groupId }) => groupId).join(', ')}`;
}

function check(name: string, ok: boolean, holds: string, failure: string): ReadinessCheck {
  return { name, ok, detail: ok ? holds : failure };
}
