export type { Member, MemberState } from './core/member.js';
export { MembershipError, type MembershipErrorCode } from './core/membership-error.js';
