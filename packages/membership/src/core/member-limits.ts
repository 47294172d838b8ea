import type { Member } from './member.js';
import { MembershipError } from './membership-error.js';

/** What may be said of a member, in bytes of UTF-8 and in numbers. The same on all nodes: docs/protocols/CLUSTER.md. */
export const memberLimits = {
  nameBytes: 64,
  addressBytes: 255,
  instanceIdBytes: 128,
  tags: 32,
  tagKeyBytes: 64,
  tagValueBytes: 256,
  allTagsBytes: 2_048,
  members: 10_000,
  goneMembers: 1_000,
} as const;

/** Bytes of a text in UTF-8. */
export function textBytes(text: string): number {
  return Buffer.byteLength(text);
}

/** What is too much of a member; `undefined` where it fits. */
export function excessOf(member: Omit<Member, 'incarnation' | 'state'>): string | undefined {
  const { nodeId, name, address, instanceId, tags } = member;
  if (!Number.isSafeInteger(nodeId) || nodeId < 1) return `node id ${nodeId}; it is an integer from 1 on`;
  const texts = [
    ['name', name, memberLimits.nameBytes],
    ['address', address, memberLimits.addressBytes],
    ['instance id', instanceId, memberLimits.instanceIdBytes],
  ] as const;
  for (const [what, text, most] of texts) {
    const bytes = textBytes(text);
    if (bytes < 1 || bytes > most) return `the ${what} '${text.slice(0, 80)}' has ${bytes} bytes; 1 to ${most}`;
  }
  return excessOfTags(tags);
}

function excessOfTags(tags: Readonly<Record<string, string>>): string | undefined {
  const entries = Object.entries(tags);
  if (entries.length > memberLimits.tags) return `${entries.length} tags; at most ${memberLimits.tags}`;
  let all = 0;
  for (const [key, value] of entries) {
    const [keyBytes, valueBytes] = [textBytes(key), textBytes(value)];
    if (keyBytes < 1 || keyBytes > memberLimits.tagKeyBytes) {
      return `the tag key '${key.slice(0, 80)}' has ${keyBytes} bytes; 1 to ${memberLimits.tagKeyBytes}`;
    }
    if (valueBytes > memberLimits.tagValueBytes) {
      return `the value of tag '${key}' has ${valueBytes} bytes; at most ${memberLimits.tagValueBytes}`;
    }
    all += keyBytes + valueBytes;
  }
  return all > memberLimits.allTagsBytes ? `tags of ${all} bytes; at most ${memberLimits.allTagsBytes}` : undefined;
}

/** Throws `MembershipError` `LIMIT_EXCEEDED` where a node says too much of itself. */
export function checkMember(member: Omit<Member, 'incarnation' | 'state'>): void {
  const excess = excessOf(member);
  if (excess !== undefined) throw new MembershipError('LIMIT_EXCEEDED', excess);
}
