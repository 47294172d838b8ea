export type { MembershipTransport } from '../ports/membership-transport.js';
