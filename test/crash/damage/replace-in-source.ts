import { registerHooks } from 'node:module';

/** Of a file of the product, as this process will load it. */
export interface Replacement {
  /** What its URL ends with. */
  readonly file: string;
  readonly text: string;
  readonly by: string;
}

/** For controls. Loading the file fails when the text is not in it any more: the control would show nothing. */
export function replaceInSource({ file, text, by }: Replacement): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(file)) return loaded;
      const source = String(loaded.source);
      if (!source.includes(text)) throw new Error(`${file} does what the control replaces in another way now`);
      return { ...loaded, source: source.replace(text, by) };
    },
  });
}
