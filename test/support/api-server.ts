import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiServer, type ApiServerOptions } from '../../src/api/server.ts';
import type { Scope } from '../../src/core/api-tokens.ts';
import { fakeApi } from './fake-api.ts';

/** The API of a fake gateway on real sockets, in a directory of its own. */
export class RunningApi {
  readonly api = fakeApi();
  readonly directory = mkdtempSync(join(tmpdir(), 'sluice-api-'));
  readonly controlSocket = join(this.directory, 'control.sock');
  readonly tokensFile = join(this.directory, 'api-tokens');
  readonly server: ApiServer;

  /** Options, or what makes them from the directory. */
  constructor(options: Partial<ApiServerOptions> | ((directory: string) => Partial<ApiServerOptions>) = {}) {
    const given = typeof options === 'function' ? options(this.directory) : options;
    this.server = this.another({ controlSocket: this.controlSocket, ...given });
  }

  /** A second server over the same gateway; not started. */
  another(options: Partial<ApiServerOptions>): ApiServer {
    const defaults = {
      listeners: [{ host: '127.0.0.1', port: 0, anonymous: true }],
      tokensFile: this.tokensFile,
      allowedHosts: [],
      corsOrigins: [],
      maxRequestRate: 0,
      controlSocket: join(this.directory, 'another.sock'),
    };
    return new ApiServer({ ...defaults, ...options }, this.api.views, this.api.deps);
  }

  /** Port of the listener of that index. */
  port(index = 0): number {
    return this.server.addresses()[index]?.port ?? 0;
  }

  /** Writes the tokens file, and returns the tokens in the same order. */
  writeTokens(...scopes: readonly (readonly Scope[])[]): readonly string[] {
    const tokens = scopes.map(() => randomBytes(32).toString('base64url'));
    const lines = scopes.map((list, index) => `token-${index}:${list.join(',')}:${sha256(tokens[index] ?? '')}\n`);
    writeFileSync(this.tokensFile, lines.join(''), { mode: 0o600 });
    return tokens;
  }

  async dispose(): Promise<void> {
    await this.server.stop();
    rmSync(this.directory, { recursive: true });
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
