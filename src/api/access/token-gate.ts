import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ApiToken, Scope } from '../../core/api-tokens.ts';
import { SluiceError } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import type { ClientLimits } from './client-limits.ts';

export interface TokenGateDeps {
  /** Those that are good now. */
  readonly tokens: () => readonly ApiToken[];
  readonly limits: ClientLimits;
  /** Told once per lock-out. */
  readonly onLockOut: (client: string) => void;
}

const BEARER = /^bearer +([A-Za-z0-9._~+/=-]{1,512})$/i;
const NO_SCOPES: ReadonlySet<Scope> = new Set();

/** Says who asks, on listeners that need a token (RFC 6750, header field only: addresses end up in logs). */
export class TokenGate {
  readonly #tokens: () => readonly ApiToken[];
  readonly #limits: ClientLimits;
  readonly #onLockOut: (client: string) => void;

  constructor({ tokens, limits, onLockOut }: TokenGateDeps) {
    this.#tokens = tokens;
    this.#limits = limits;
    this.#onLockOut = onLockOut;
  }

  /**
   * The scopes of the token that came with a request; none without a token. A token that is known counts by itself:
   * behind a proxy all clients have one address, and nobody there may lock out, or use up the rate of, who has one.
   * @throws SluiceError `too_many_requests`, `locked_out`, `wrong_token`
   */
  scopesOf({ headers, socket }: IncomingMessage): ReadonlySet<Scope> {
    const client = socket.remoteAddress ?? '';
    const token = this.#tokenOf(headers.authorization);
    this.#limits.request(client, token?.name);
    if (token !== undefined) return token.scopes;
    if (headers.authorization === undefined) return NO_SCOPES;
    this.#limits.admit(client);
    if (this.#limits.wrongToken(client)) this.#onLockOut(printable(client));
    throw new SluiceError('the token is none that this gateway knows', {
      code: 'wrong_token',
      hint: 'Send Authorization: Bearer with a token of which api.tokensFile holds the SHA-256.',
    });
  }

  #tokenOf(authorization = ''): ApiToken | undefined {
    const presented = BEARER.exec(authorization)?.[1];
    return presented === undefined ? undefined : findToken(presented, this.#tokens());
  }
}

/** @throws SluiceError `token_required`, `scope_missing` */
export function requireScope(scopes: ReadonlySet<Scope>, scope: Scope): void {
  if (scopes.has(scope)) return;
  if (scopes.size === 0) {
    throw new SluiceError('this needs a token', {
      code: 'token_required',
      hint: `Send Authorization: Bearer with a token that has the scope ${scope}.`,
    });
  }
  throw new SluiceError(`the token does not have the scope ${scope}`, {
    code: 'scope_missing',
    hint: 'Use another token, or add the scope in api.tokensFile.',
  });
}

/** Looks at every token to its end, so that the time taken says nothing. */
function findToken(presented: string, tokens: readonly ApiToken[]): ApiToken | undefined {
  const presentedHash = hash('sha256', presented, 'buffer');
  let found: ApiToken | undefined;
  for (const token of tokens) {
    if (timingSafeEqual(token.hash, presentedHash)) found = token;
  }
  return found;
}
