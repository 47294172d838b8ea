/**
 * One promise of a port, as a test that any form of the port must pass: `for (const { name, run } of diskContract)
 * test(name, () => run(open))`. `run` rejects with an `AssertionError` where the promise is broken.
 */
export interface ContractCase<Subject> {
  readonly name: string;
  run(open: () => Promise<Subject>): Promise<void>;
}
