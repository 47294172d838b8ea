import type { Attack } from './attack.js';
import { bombAttacks } from './bomb-attacks.js';
import { floodAttacks } from './flood-attacks.js';
import { peerAttacks } from './peer-attacks.js';
import { readerAttacks } from './reader-attacks.js';

/** Every attack that needs no more than addresses and names, in the order in which they are made. */
export const attacks: readonly Attack[] = [...peerAttacks, ...floodAttacks, ...bombAttacks, ...readerAttacks];
