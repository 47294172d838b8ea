/**
 * The node's own group: the raft group whose only voter is this node, which holds the streams of multi-master logs as far
 * as this node has them (docs/formats/state-machine.md, "Own group"). The last number below those that the command log
 * reserves; in no catalogue.
 */
export const ownGroup = 2 ** 24 - 1;
