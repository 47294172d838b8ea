export { defaultSlots, type HashedRange, hashedRange, maxSlots, slotOfKey, tagOfKey } from './slot-of-key.js';
