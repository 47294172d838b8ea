/** One call of a client, from when it was made to when it was answered. Times are positions in the history. */
export interface Operation<Input, Output> {
  readonly process: number;
  readonly input: Input;
  /** What the client was told; `undefined` where it was told nothing it could rely on: the call may have happened, or not. */
  readonly output: Output | undefined;
  readonly call: number;
  /** Infinite where there was no answer: the call may still happen. */
  readonly return: number;
}

/** What a system that works one operation at a time would do. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  /** The state after the operation, or `undefined` where it could not have had this output in this state. */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /**
   * Whether an operation with this output never changes any state. Such a one is taken as soon as it fits: whatever order
   * there is has one in which it stands there. Absent: none is.
   */
  isReadOnly?(input: Input, output: Output): boolean;
  /** The same text for equal states, and for no others. */
  fingerprint(state: State): string;
  /** The operation in a few words. */
  describe(input: Input, output: Output | undefined): string;
}
