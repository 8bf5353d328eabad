/** Every problem the API answers with, by code. The pages at /problems/{code} and the OpenAPI document are made from this. */

export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** What it means. */
  readonly meaning: string;
  /** What to do about it. */
  readonly remedy: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const KINDS = {
  bad_request: {
    status: 400,
    title: 'Bad request',
    meaning: 'The request, one of its parameters or its body is not what the route asks for.',
    remedy: 'The detail names the place. /docs shows what each route takes.',
  },
  bad_limit: {
    status: 400,
    title: 'Bad limit',
    meaning: 'A list cannot be cut at the limit that was asked for.',
    remedy: 'Use a whole number from 1 to 1000.',
  },
  bad_range: {
    status: 400,
    title: 'Bad range',
    meaning: 'The range that was asked for ends before it begins.',
    remedy: 'Leave one end out to have no limit there.',
  },
  bad_cursor: {
    status: 400,
    title: 'Bad cursor',
    meaning: 'The cursor was not given out by this gateway, or was changed on the way.',
    remedy: 'Begin without a cursor, then pass next_cursor on unchanged.',
  },
  bad_idempotency_key: {
    status: 400,
    title: 'Bad idempotency key',
    meaning: 'The header Idempotency-Key does not hold a key.',
    remedy: 'Send 1 to 255 printable ASCII characters, such as a UUID, in quotation marks.',
  },
  token_required: {
    status: 401,
    title: 'Token required',
    meaning: 'Requests from the network need a token, and none came with this one.',
    remedy: 'Send the header Authorization: Bearer with a token of the gateway.',
    headers: { 'www-authenticate': 'Bearer' },
  },
  wrong_token: {
    status: 401,
    title: 'Wrong token',
    meaning: 'The token is none that the gateway knows. Ten wrong tokens within a minute lock the client out.',
    remedy: 'Look whether the token is whole, and whether api.tokensFile holds its SHA-256.',
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  },
  scope_missing: {
    status: 403,
    title: 'Scope missing',
    meaning: 'The token is good, but may not do this.',
    remedy: 'Use a token with the scope that the detail names, or add the scope in api.tokensFile.',
    headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' },
  },
  host_not_allowed: {
    status: 403,
    title: 'Host not allowed',
    meaning:
      'The request asks for a host name that is not the gateway. Foreign web pages get in that way (DNS rebinding).',
    remedy: 'Ask for the address of the gateway, or name the host in api.allowedHosts.',
  },
  origin_not_allowed: {
    status: 403,
    title: 'Origin not allowed',
    meaning: 'A web page of another origin wants to change something.',
    remedy: 'Send the request without a browser, or name the origin in api.corsOrigins.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    meaning: 'There is nothing at this path.',
    remedy: 'GET /openapi.json lists what there is.',
  },
  device_not_found: {
    status: 404,
    title: 'Device not found',
    meaning: 'No device of that id has sent anything or has a secret.',
    remedy: 'GET /v1/devices lists those that are known.',
  },
  uplink_not_found: {
    status: 404,
    title: 'Uplink not found',
    meaning: 'The configuration has no uplink of that name.',
    remedy: 'GET /v1/uplinks lists those it has.',
  },
  record_not_found: {
    status: 404,
    title: 'Record not found',
    meaning: 'The buffer holds no record of that seq.',
    remedy: 'It may have been removed by a limit. GET /v1/records lists what there is.',
  },
  refused_not_found: {
    status: 404,
    title: 'Refused message not found',
    meaning: 'No refused message of that id is kept.',
    remedy: 'It may have been removed before. GET /v1/refused lists what there is.',
  },
  reject_not_found: {
    status: 404,
    title: 'Reject not found',
    meaning: 'No reject of that id is kept.',
    remedy: 'It may have been removed before. GET /v1/rejects lists what there is.',
  },
  replay_not_found: {
    status: 404,
    title: 'Replay not found',
    meaning: 'There is no replay of that id.',
    remedy: 'It may have been cancelled, or forgotten long after it was done. GET /v1/replays lists what there is.',
  },
  command_not_found: {
    status: 404,
    title: 'Command not found',
    meaning: 'There is no command of that request id.',
    remedy:
      'It may have been finished long ago, or before the gateway started. GET /v1/devices/{id}/commands lists what there is.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    meaning: 'The path exists, but does not answer to this method.',
    remedy: 'Use one of the methods in the header Allow.',
  },
  request_timeout: {
    status: 408,
    title: 'Request timeout',
    meaning: 'The request did not come whole in time: its headers within 10 seconds, all of it within 30.',
    remedy: 'Send it again, all at once.',
  },
  uplink_not_configured: {
    status: 409,
    title: 'Uplink not configured',
    meaning: 'The uplink that has to send is not in the configuration, or does not carry the stream.',
    remedy: 'Configure it, with the stream among its streams. A reject of an uplink that is gone can be removed.',
  },
  too_many_replays: {
    status: 409,
    title: 'Too many replays',
    meaning: 'As many replays are active as may be.',
    remedy: 'Wait until one is done, or cancel one: GET /v1/replays lists them.',
  },
  command_finished: {
    status: 409,
    title: 'Command finished',
    meaning: 'The command is finished, so that there is nothing left to cancel.',
    remedy: 'GET /v1/commands/{request_id} shows what became of it.',
  },
  command_cancelled: {
    status: 409,
    title: 'Command cancelled',
    meaning: 'Somebody cancelled the command while this request waited for its answer.',
    remedy: 'GET /v1/commands/{request_id} shows whether it had been sent.',
  },
  device_exists: {
    status: 409,
    title: 'Device exists',
    meaning: 'The device has a secret already.',
    remedy: 'Remove it first, if it is to get a new one.',
  },
  too_many_devices: {
    status: 409,
    title: 'Too many devices',
    meaning: 'As many devices are known as devices.max allows.',
    remedy: 'Remove devices that are gone, or raise devices.max.',
  },
  record_damaged: {
    status: 410,
    title: 'Record damaged',
    meaning: 'The checksum of the stored record does not hold: the disk is damaged.',
    remedy: 'Nothing brings it back. Look at the disk.',
  },
  body_too_large: {
    status: 413,
    title: 'Body too large',
    meaning: 'The body of the request is larger than api.maxBodySize.',
    remedy: 'Send less at once, or raise api.maxBodySize.',
  },
  command_too_large: {
    status: 413,
    title: 'Command too large',
    meaning: 'The parameters of the command are larger than 64 KiB, or nested more than 64 times. Nothing was sent.',
    remedy: 'Send less at once.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    meaning: 'The body has a type or a compression that the route does not take.',
    remedy: 'Send the content type that the detail names, not compressed.',
  },
  expectation_failed: {
    status: 417,
    title: 'Expectation failed',
    meaning: 'The header Expect asks for something that the gateway does not know. It knows 100-continue.',
    remedy: 'Send the request without it.',
  },
  bad_device_id: {
    status: 422,
    title: 'Bad device id',
    meaning: 'The text is no device id.',
    remedy: 'Use 1 to 128 characters of A-Z a-z 0-9 . _ -',
  },
  bad_command_name: {
    status: 422,
    title: 'Bad command name',
    meaning: 'The text is no name of a command.',
    remedy: 'Use 1 to 128 characters of A-Z a-z 0-9 . _ -',
  },
  bad_event_type: {
    status: 422,
    title: 'Bad event type',
    meaning: 'The text is no event type.',
    remedy: 'Use 1 to 128 characters without / + # and control characters.',
  },
  payload_refused: {
    status: 422,
    title: 'Payload refused',
    meaning:
      'The body cannot be what the route says, for the reason that the detail gives. It is kept aside for people to see.',
    remedy: 'Mend the sender. Sending the same again cannot help.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'Idempotency key reused',
    meaning: 'The key came with another request before. Nothing was stored.',
    remedy: 'Use a new key for each new request.',
  },
  weak_secret: {
    status: 422,
    title: 'Weak secret',
    meaning: 'The secret is shorter than 16 characters.',
    remedy: 'Leave the secret out to have a strong one made.',
  },
  bad_secret_hash: {
    status: 422,
    title: 'Bad secret hash',
    meaning: 'The text is no hash of a secret that the gateway can check.',
    remedy: 'Use a line that mosquitto_passwd wrote, $6$ or $7$, or the SHA-256 of 256 random bits in hexadecimal.',
  },
  locked_out: {
    status: 429,
    title: 'Locked out',
    meaning: 'Ten wrong tokens came from this client within a minute.',
    remedy: 'Mend the token: the right one is let in at once.',
  },
  too_many_requests: {
    status: 429,
    title: 'Too many requests',
    meaning: 'The client asks more often than api.maxRequestRate allows.',
    remedy: 'Wait for as long as Retry-After says, and ask less often.',
  },
  over_share: {
    status: 429,
    title: 'Over its share',
    meaning:
      'More waits in the buffer than buffer.highWater allows for all, and this device sent much more than the others. Nothing of this request was stored.',
    remedy: 'Send the same again after as long as Retry-After says. It is better once the uplink delivers again.',
  },
  over_rate: {
    status: 429,
    title: 'Over its rate',
    meaning: 'The device sends more often than devices.maxMessageRate allows. Nothing of this request was stored.',
    remedy: 'Send the same again after as long as Retry-After says; a request may hold several objects.',
  },
  too_many_commands: {
    status: 429,
    title: 'Too many commands',
    meaning: 'As many commands of this device wait for an answer as may. Nothing was sent.',
    remedy: 'Wait until one is finished, or cancel one: GET /v1/devices/{id}/commands lists them.',
  },
  headers_too_large: {
    status: 431,
    title: 'Headers too large',
    meaning: 'The head of the request is larger than 16 KiB.',
    remedy: 'Send fewer or shorter headers.',
  },
  internal_error: {
    status: 500,
    title: 'Internal error',
    meaning: 'The gateway failed to answer. That is a defect.',
    remedy: 'The log of the gateway says what happened; please report it.',
  },
  buffer_full: {
    status: 503,
    title: 'Buffer full',
    meaning: 'A limit of the buffer is met, and nothing new is stored. Nothing of this request was stored.',
    remedy: 'Send the same again later. GET /v1/buffer says which limit it is.',
  },
  commands_full: {
    status: 503,
    title: 'Too many commands in all',
    meaning: 'As many commands of all devices wait for an answer as may. Nothing was sent.',
    remedy: 'Give it again later, or give commands shorter times.',
  },
  too_busy: {
    status: 503,
    title: 'Too busy',
    meaning: 'As much waits for the disk as may. Nothing was begun for this request.',
    remedy: 'Send the same again after as long as Retry-After says.',
  },
  read_timeout: {
    status: 503,
    title: 'Not read in time',
    meaning: 'The disk did not answer a read in time.',
    remedy: 'Ask again later, or for less.',
  },
  store_timeout: {
    status: 503,
    title: 'Not stored in time',
    meaning: 'The disk did not answer in time. The records may be stored all the same.',
    remedy: 'Send the same again, with the same Idempotency-Key, so that it is stored once.',
  },
  unavailable: {
    status: 503,
    title: 'Unavailable',
    meaning: 'The gateway cannot do this now.',
    remedy: 'Try again later. GET /health/ready says what is wrong.',
  },
  command_expired: {
    status: 504,
    title: 'Command expired',
    meaning: 'The device was not reached, or has not answered, by the deadline of the command.',
    remedy: 'Look whether the device is online. With a sent_at it may have run the command all the same.',
  },
  answer_pending: {
    status: 504,
    title: 'Answer pending',
    meaning: 'The device has not answered for as long as the request was to wait. The command goes on.',
    remedy: 'GET /v1/commands/{request_id}, with the id that the detail names, shows what becomes of it.',
  },
} satisfies Readonly<Record<string, ProblemKind>>;

export type ProblemCode = keyof typeof KINDS;

export const PROBLEM_KINDS: Readonly<Record<ProblemCode, ProblemKind>> = KINDS;
export const PROBLEM_CODES = Object.keys(KINDS) as readonly ProblemCode[];

export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(KINDS, text);
}
