import type { Member } from './member.js';

/** Why a node was not let in. */
export type RefusalReason = 'otherCluster' | 'nameTaken' | 'removed' | 'tooMuch';

/** What a node knows of another, in short. */
export type MemberVersion = Pick<Member, 'nodeId' | 'incarnation' | 'state'>;

/** What nodes say to each other; docs/protocols/CLUSTER.md has the bytes. */
export type Message =
  | { readonly type: 'heartbeat'; readonly incarnation: number; readonly viewHash: number }
  | { readonly type: 'ping'; readonly number: number }
  | { readonly type: 'ack'; readonly number: number; readonly subject: number }
  | { readonly type: 'ask'; readonly number: number; readonly subject: number }
  | { readonly type: 'nack'; readonly number: number; readonly subject: number }
  | { readonly type: 'accuse'; readonly subject: number; readonly incarnation: number }
  | { readonly type: 'gossip'; readonly records: readonly Member[] }
  | { readonly type: 'digest'; readonly hashes: readonly number[] }
  | { readonly type: 'versions'; readonly buckets: number; readonly versions: readonly MemberVersion[] }
  | { readonly type: 'records'; readonly wanted: readonly number[]; readonly records: readonly Member[] }
  | { readonly type: 'join'; readonly clusterId: string; readonly record: Member }
  | { readonly type: 'welcome'; readonly records: readonly Member[] }
  | { readonly type: 'refusal'; readonly reason: RefusalReason; readonly text: string };

/** Where a message goes. Node id 0: whoever is at the address. */
export interface Destination {
  readonly nodeId: number;
  readonly address: string;
}
