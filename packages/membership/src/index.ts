export type { MembershipEffect } from './core/core-context.js';
export type { CoalescingOptions } from './core/event-coalescer.js';
export { type Member, type MemberState, memberStates } from './core/member.js';
export { memberLimits } from './core/member-limits.js';
export { type CoreOptions, MembershipCore, type MembershipInput } from './core/membership-core.js';
export { MembershipError, type MembershipErrorCode } from './core/membership-error.js';
export type { MemberEvent, MembershipEvent } from './core/membership-event.js';
export {
  defaultMembershipSettings,
  type MembershipProfile,
  type MembershipSettings,
  type MembershipTuning,
  membershipProfiles,
  resolveMembershipSettings,
} from './core/membership-options.js';
export type { Destination, Message, RefusalReason } from './core/message.js';
export type {
  MemberSight,
  Membership,
  MembershipListener,
  MembershipOptions,
  MembershipSelf,
  MembershipStatus,
} from './host/membership.js';
export { openMembership } from './host/open-membership.js';
export { type Discovery, dnsDiscovery, type HostLookup, staticDiscovery } from './ports/discovery.js';
export type { MembershipMemory, RememberedMembership } from './ports/membership-memory.js';
export type { MembershipTransport, TransportHandlers } from './ports/membership-transport.js';
export { decodeMessage, encodeMessage, maxFrameBytes } from './wire/message-codec.js';
