/** How the groups of a backup are called and described. */
import { formatTime } from '../output/quantities.js';

/** Of a group in a backup. */
interface GroupCut {
  readonly groupId: number;
  readonly appliedIndex: number;
  readonly logTimeMs: number;
  readonly completeToMs?: number;
}

/** The group that each node has for itself. */
const ownGroup = 2 ** 24 - 1;

/** A group's name in a list. */
export function groupTitle(groupId: number): string {
  return groupId === ownGroup ? 'Own group' : `Group ${groupId}`;
}

/** Up to where a group is in a backup. */
export function cutText({ groupId, appliedIndex, logTimeMs, completeToMs }: GroupCut): string {
  if (groupId !== ownGroup) return `entry ${appliedIndex}, log time ${formatTime(logTimeMs)}`;
  const complete =
    completeToMs === undefined ? 'not known up to when complete' : `complete to ${formatTime(completeToMs)}`;
  return `entry ${appliedIndex}, ${complete}`;
}
