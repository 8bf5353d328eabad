import assert from 'node:assert';

/** Of the context that node:test hands to a test, what the suite of aedes-persistence uses; a plan is checked at the end. */
export class SuiteContext {
  readonly assert: typeof assert;
  #planned: number | undefined;
  #count = 0;

  constructor() {
    const count = (): void => {
      this.#count += 1;
    };
    this.assert = new Proxy(assert, {
      get: (target, name) => {
        const check: unknown = Reflect.get(target, name);
        if (typeof check !== 'function') return check;
        return (...args: unknown[]) => {
          count();
          return Reflect.apply(check, target, args) as unknown;
        };
      },
    });
  }

  plan(count: number): void {
    this.#planned = count;
  }

  diagnostic(): void {}

  end(): void {
    if (this.#planned !== undefined) assert.equal(this.#count, this.#planned, 'assertions made as planned');
  }
}
