/** What other CommonJS modules get from now on when `require` finds this one for them: `replace` of the original. */
export function replaceModule<T>(require: NodeJS.Require, path: string, replace: (original: T) => T): void {
  const original = require(path) as T;
  const loaded = require.cache[require.resolve(path)];
  if (loaded !== undefined) loaded.exports = replace(original);
}
