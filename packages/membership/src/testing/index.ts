export { type MembershipTransportSubject, membershipTransportContract } from './membership-transport-contract.js';
export { createMemoryNetwork, type MemoryNetwork, type MemoryNetworkOptions } from './memory-network.js';
