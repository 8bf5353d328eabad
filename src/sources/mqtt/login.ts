import { randomUUID } from 'node:crypto';
import { isDeviceId } from '../../core/device-id.ts';
import type { AccessControl } from '../../core/views.ts';
import type { Identity } from './access.ts';
import type { ConnectPacket } from './aedes-broker.ts';
import { REFUSED, type RefusalCode } from './connect-packet.ts';
import type { Link } from './link.ts';
import { LIMITS } from './options.ts';
import { isValidTopic } from './topics.ts';

export interface Refusal {
  readonly kind: 'refused';
  readonly code: RefusalCode;
  readonly reason: string;
  readonly hint: string;
}

export type LoginVerdict =
  | { readonly kind: 'admitted'; readonly clientId: string; readonly identity: Identity }
  | Refusal
  /** Closed without an answer [MQTT-3.1.4-1]. */
  | { readonly kind: 'violation'; readonly reason: string };

/** How a client got here. */
type Entrance = Pick<Link, 'anonymous' | 'certified'> & { readonly isGone?: () => boolean };

const CONTROL = /\p{Cc}/u;
const MQTT31 = 3;

/** Decides about a CONNECT: is the client id acceptable, who is it, does the client id belong to it. */
export class Login {
  readonly #access: AccessControl;
  readonly #claimTimeoutMs: number;

  constructor(access: AccessControl, claimTimeoutMs: number) {
    this.#access = access;
    this.#claimTimeoutMs = claimTimeoutMs;
  }

  async judge(packet: ConnectPacket, link: Entrance): Promise<LoginVerdict> {
    const { will } = packet;
    if (will !== undefined && (!isValidTopic(will.topic) || (will.qos ?? 0) > 2)) {
      return { kind: 'violation', reason: 'the will has an invalid topic or QoS' };
    }
    const faultyId = judgeClientId(packet);
    if (faultyId !== undefined) return faultyId;
    const identity = await this.#identify(packet, link);
    if (typeof identity === 'object' && identity !== null) return identity;
    // An id made up for one connection belongs to nobody.
    if (packet.clientId === '') return { kind: 'admitted', clientId: `auto-${randomUUID()}`, identity };
    return (await this.#claim(packet.clientId, identity)) ?? { kind: 'admitted', clientId: packet.clientId, identity };
  }

  /** A client that gives a name, or a certificate, is judged by it, wherever it comes from. */
  async #identify(
    { username, password }: ConnectPacket,
    { anonymous, certified, isGone }: Entrance,
  ): Promise<Identity | Refusal> {
    if (certified !== null) return username === undefined || username === certified ? certified : MISNAMED;
    if (username === undefined && password === undefined) {
      if (anonymous) return null;
      return refusal('notAuthorized', 'no user name', 'give the device id as user name and its secret as password');
    }
    const secret = password?.toString() ?? '';
    const known = username !== undefined && isDeviceId(username) && secret !== '';
    try {
      if (known && (await this.#access.authenticate(username, secret, isGone))) return username;
    } catch {
      return NOT_NOW;
    }
    return refusal(
      'credentials',
      'wrong user name or password',
      'the user name is a device id: see `sluice device add`',
    );
  }

  async #claim(clientId: string, identity: Identity): Promise<Refusal | undefined> {
    const late = Promise.withResolvers<'unavailable'>();
    // An aborted timer of node:timers/promises costs more than all the rest of a login.
    const timer = setTimeout(() => late.resolve('unavailable'), this.#claimTimeoutMs);
    const answer = this.#access.claimClientId(clientId, identity).then(
      (granted) => (granted ? 'granted' : 'taken'),
      () => 'unavailable',
    );
    const outcome = await Promise.race([answer, late.promise]);
    clearTimeout(timer);
    if (outcome === 'granted') return undefined;
    if (outcome === 'taken') {
      return refusal(
        'identifier',
        'the client id belongs to another identity',
        'give every client a client id of its own; the id of a device is for that device',
      );
    }
    return refusal(
      'unavailable',
      'the client id could not be looked up',
      'the store does not answer: see the other log lines',
    );
  }
}

/** [MQTT-3.1.3-5 to MQTT-3.1.3-9] */
function judgeClientId({ clientId, clean, protocolVersion }: ConnectPacket): Refusal | undefined {
  const mqtt31 = protocolVersion === MQTT31;
  if (clientId === '' && (mqtt31 || clean !== true)) {
    return refusal('identifier', 'no client id', 'set a client id, or ask for a clean session');
  }
  const maxLength = mqtt31 ? LIMITS.clientIdLengthMqtt31 : LIMITS.clientIdLength;
  if (clientId.length > maxLength) {
    return refusal('identifier', 'the client id is too long', `use at most ${maxLength} characters`);
  }
  if (CONTROL.test(clientId)) {
    return refusal('identifier', 'the client id has control characters', 'use printable characters only');
  }
  return undefined;
}

const NOT_NOW = refusal(
  'unavailable',
  'its password is not checked now',
  'it comes again by itself: too many logins wait, or wrong passwords came for this device',
);
const MISNAMED = refusal(
  'credentials',
  'the user name is not the common name of the client certificate',
  'leave the user name out, or give the client the certificate of that device',
);

function refusal(code: keyof typeof REFUSED, reason: string, hint: string): Refusal {
  return { kind: 'refused', code: REFUSED[code], reason, hint };
}
