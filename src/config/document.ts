import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { printable } from '../core/printable.ts';
import type { Problem } from './problem.ts';
import { syntaxProblems } from './syntax.ts';
import { type Environment, replaceVariables } from './variables.ts';

export type Path = readonly PropertyKey[];

/** More than any sensible file has: stops aliases that contain themselves or multiply. */
const MAX_DEPTH = 32;
const MAX_NODES = 100_000;

class TooLarge extends Error {}

/** A YAML file that was read, with the way back from a value to where it is written. */
export class ConfigDocument {
  /** Undefined when the problems are such that it cannot be judged. */
  readonly value: unknown;
  readonly problems: Problem[] = [];
  readonly #source: string;
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();
  readonly #nodes = new Map<string, Node>();
  readonly #keys = new Map<string, Node>();
  readonly #env: Environment;
  #nodeCount = 0;

  /** Reads YAML 1.2, and puts the environment into its strings. Of nothing it makes an empty mapping, or an absent value. */
  constructor(source: string, env: Environment) {
    this.#source = source;
    this.#env = env;
    this.#document = parseDocument(source, { lineCounter: this.#lines, prettyErrors: false, stringKeys: true });
    const sound = this.#reportSyntax();
    const value = this.#readAll();
    this.value = sound ? value : undefined;
  }

  /** A problem where the value of that path is written; where it would stand when it is missing. */
  problemAt(path: Path, message: string): Problem {
    return this.#problem(this.#nearestNode(path)?.range?.[0] ?? 0, path, message);
  }

  /** A problem with an option's name: where the name is written. */
  problemAtKey(path: Path, message: string): Problem {
    return this.#problem(this.#keys.get(JSON.stringify(path))?.range?.[0] ?? 0, path, message);
  }

  /** What the file says there, variables not replaced; undefined unless it is one plain value. */
  writtenAt(path: Path): string | undefined {
    const node = this.#nodes.get(JSON.stringify(path));
    return isScalar(node) && node.range ? this.#source.slice(node.range[0], node.range[1]).trimEnd() : undefined;
  }

  #problem(offset: number, path: Path, message: string): Problem {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1), path: pathText(path), message };
  }

  #nearestNode(path: Path): Node | undefined {
    for (let length = path.length; length >= 0; length -= 1) {
      const key = JSON.stringify(path.slice(0, length));
      const node = length === path.length ? this.#nodes.get(key) : (this.#keys.get(key) ?? this.#nodes.get(key));
      if (node !== undefined) return node;
    }
    return undefined;
  }

  /** False when the tree cannot be trusted. Keys that stand there twice are found, with their path, while reading. */
  #reportSyntax(): boolean {
    const found = syntaxProblems(this.#document, this.#source);
    for (const { offset, message } of found) this.problems.push(this.#problem(offset, [], message));
    return found.length === 0;
  }

  #readAll(): unknown {
    try {
      return this.#read(this.#document.contents, []) ?? {};
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error;
      if (this.problems.length === 0) {
        this.problems.push(this.#problem(0, [], 'is nested too deeply, or too large with its aliases'));
      }
      return undefined;
    }
  }

  #read(node: Node | null, path: Path): unknown {
    this.#nodeCount += 1;
    if (path.length > MAX_DEPTH || this.#nodeCount > MAX_NODES) throw new TooLarge();
    if (node === null) return undefined;
    if (isAlias(node)) return this.#readAlias(node, path);
    this.#nodes.set(JSON.stringify(path), node);
    if (isMap(node)) return this.#readMap(node, path);
    if (isSeq(node)) return node.items.map((item, index) => this.#read(item as Node | null, [...path, index]) ?? null);
    if (!isScalar(node)) return undefined;
    return typeof node.value === 'string' ? this.#replace(node.value, path) : (node.value ?? undefined);
  }

  #readAlias(alias: Alias, path: Path): unknown {
    const target = alias.resolve(this.#document);
    if (target !== undefined) return this.#read(target, path);
    const message = `no anchor &${printable(alias.source, 40)} stands before this alias`;
    this.problems.push(this.#problem(alias.range?.[0] ?? 0, path, message));
    return undefined;
  }

  #readMap(map: YAMLMap, path: Path): unknown {
    const entries = new Map<string, unknown>();
    for (const { key, value } of map.items) {
      if (!isScalar(key)) continue;
      const name = String(key.value);
      const inner = [...path, name];
      this.#keys.set(JSON.stringify(inner), key);
      if (entries.has(name)) this.problems.push(this.problemAtKey(inner, 'is written twice'));
      entries.set(name, this.#read(value as Node | null, inner));
    }
    return Object.fromEntries(entries);
  }

  #replace(text: string, path: Path): string {
    const replaced = replaceVariables(text, this.#env);
    for (const message of replaced.problems) this.problems.push(this.problemAt(path, message));
    return replaced.text;
  }
}

/** `uplinks[0].brokers`, fit to print. */
export function pathText(path: Path): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${printable(String(part), 40)}`))
    .join('')
    .replace(/^\./, '');
}
