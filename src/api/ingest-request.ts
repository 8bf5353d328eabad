import { createHash } from 'node:crypto';
import type { HonoRequest } from 'hono';
import { isDeviceId } from '../core/device-id.ts';
import { SluiceError } from '../core/errors.ts';
import type { ContentType, IdempotencyKey } from '../core/record.ts';

/** As an MQTT topic could carry it: no separator, no wildcard, no control character. */
const EVENT_TYPE = /^[^/+#\p{Cc}]{1,128}$/u;
/** A string of RFC 8941, as the draft asks for. */
const QUOTED_KEY = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])+)"$/;
/** The same without its quotation marks, as many clients send it. */
const BARE_KEY = /^[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+$/;
const MAX_KEY_LENGTH = 255;

/** @throws SluiceError `bad_device_id` */
export function checkDeviceId(id: string): string {
  if (isDeviceId(id)) return id;
  throw new SluiceError('this is no device id', {
    code: 'bad_device_id',
    hint: 'Use 1 to 128 characters of A-Z a-z 0-9 . _ -',
  });
}

/** @throws SluiceError `bad_event_type` */
export function checkEventType(type: string): string {
  if (EVENT_TYPE.test(type)) return type;
  throw new SluiceError('this is no event type', {
    code: 'bad_event_type',
    hint: 'Use 1 to 128 characters without / + # and control characters.',
  });
}

/**
 * What the request says its body is; undefined when it says nothing.
 * @throws SluiceError `unsupported_media_type`
 */
export function declaredType(request: HonoRequest, allowed: readonly ContentType[]): ContentType | undefined {
  const encoding = request.header('content-encoding')?.toLowerCase() ?? 'identity';
  if (encoding !== 'identity') throw unsupported(`the content coding ${encoding}`, allowed);
  const header = request.header('content-type');
  if (header === undefined) return undefined;
  const name = header.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const type = /^application\/(?:[\w.+-]+\+)?json$/.test(name) ? 'application/json' : name;
  const known = allowed.find((candidate) => candidate === type);
  if (known === undefined) throw unsupported('this content type', allowed);
  return known;
}

function unsupported(what: string, allowed: readonly ContentType[]): SluiceError {
  return new SluiceError(`${what} is not taken here`, {
    code: 'unsupported_media_type',
    hint: `Send ${allowed.join(' or ')} in UTF-8, not compressed; with curl: -H 'content-type: ${allowed[0]}'.`,
  });
}

/**
 * The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07); undefined without one.
 * @throws SluiceError `bad_idempotency_key`
 */
export function idempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const quoted = QUOTED_KEY.exec(header)?.[1]?.replace(/\\(.)/g, '$1');
  const key = quoted ?? BARE_KEY.exec(header)?.[0];
  if (key !== undefined && key.length <= MAX_KEY_LENGTH) return key;
  throw new SluiceError('this is no idempotency key', {
    code: 'bad_idempotency_key',
    hint: `Send one of 1 to ${MAX_KEY_LENGTH} printable ASCII characters, such as a UUID, in quotation marks.`,
  });
}

/** The key with what makes a request the same as another one: where it goes, what it is called, its bytes. */
export function keyedRequest(
  key: string,
  { channel, declared, payload }: { channel: string; declared: ContentType | undefined; payload: Uint8Array },
): IdempotencyKey {
  const hash = createHash('sha256')
    .update(`${channel}\0${declared ?? ''}\0`)
    .update(payload);
  return { key, fingerprint: hash.digest() };
}
