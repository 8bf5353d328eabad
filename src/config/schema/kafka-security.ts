/** How an uplink and the brokers know each other. Files are read at every new connection, not with the configuration. */

import { z } from 'zod';
import { ANY_MAPPING, flag, path, section, text } from './options.ts';

const SERVER_NAME = { pattern: /^[A-Za-z0-9._:-]{1,253}$/, rule: 'a host name or an IP address' };
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] as const;

function file(description: string, sample?: string) {
  return path()
    .optional()
    .meta({ description, 'x-type': 'path', ...(sample === undefined ? {} : { 'x-sample': sample }) });
}

const tlsFiles = section({
  caFile: file('Certificates of the authorities to trust, PEM. When left out: those that Node.js knows.', 'ca.pem'),
  certFile: file("This gateway's certificate and those between it and the authority, PEM; with `keyFile`."),
  keyFile: file('Private key of `certFile`, PEM, without a passphrase.'),
  serverName: text(SERVER_NAME).optional().meta({
    description: "Name that the brokers' certificates must bear. When left out: the host of each broker.",
    'x-type': SERVER_NAME.rule,
  }),
}).superRefine(({ certFile, keyFile }, context) => {
  if ((certFile === undefined) === (keyFile === undefined)) return;
  const [there, missing] = keyFile === undefined ? ['certFile', 'keyFile'] : ['keyFile', 'certFile'];
  context.addIssue({ code: 'custom', path: [there], message: `is of use only together with ${missing}` });
}, ANY_MAPPING);

export const tls = z
  .union([flag(), tlsFiles], { error: 'must be true, false or a mapping of caFile, certFile, keyFile, serverName' })
  .prefault(false)
  .meta({
    description: 'Whether the connection is encrypted and the brokers are who they say: `true`, or a mapping of files.',
    'x-type': '`true`, `false` or a mapping',
  });

const login = section({
  mechanism: z.enum(MECHANISMS).meta({
    description: 'How to log in. `plain` and `oauthbearer` show the secret to the broker: use them with `tls` only.',
    'x-type': MECHANISMS.map((name) => `\`${name}\``).join(' or '),
    'x-sample': 'scram-sha-512',
  }),
  username: z
    .string()
    .min(1, 'must not be empty')
    .optional()
    .meta({ description: 'User name, for all but `oauthbearer`.', 'x-type': 'text', 'x-sample': 'greenhouse-pi' }),
  // Its messages must not bring what is written there: see `found` in judge.ts.
  password: z
    .string({ error: 'is not text: put it in quotes' })
    .min(1, 'must not be empty')
    .optional()
    .meta({ description: 'Password; better in a file.', 'x-type': 'text' }),
  passwordFile: file(
    'File that holds the password, for example a credential of systemd; a line feed at its end does not count.',
    'kafka-password',
  ),
  tokenFile: file('File that holds the token of `oauthbearer`; read again at every login.'),
}).superRefine((login, context) => {
  for (const [option, message] of loginProblems(login)) {
    context.addIssue({ code: 'custom', path: [option], message });
  }
}, ANY_MAPPING);

type Login = Readonly<Partial<Record<'mechanism' | 'username' | 'password' | 'passwordFile' | 'tokenFile', unknown>>>;

function loginProblems({ mechanism, ...given }: Login): readonly [option: keyof Login, message: string][] {
  const needed = mechanism === 'oauthbearer' ? (['tokenFile'] as const) : (['username', 'passwordFile'] as const);
  const has = (option: keyof typeof given): boolean => given[option] !== undefined;
  const missing = needed.filter((option) => !has(option) && !(option === 'passwordFile' && has('password')));
  const allowed: readonly string[] = mechanism === 'oauthbearer' ? needed : [...needed, 'password'];
  const useless = (Object.keys(given) as (keyof typeof given)[]).filter((name) => has(name) && !allowed.includes(name));
  return [
    ...missing.map((option) => [option, `is required by ${mechanism}`] as [keyof Login, string]),
    ...useless.map((option) => [option, `is not used by ${mechanism}`] as [keyof Login, string]),
    ...(has('password') && has('passwordFile')
      ? [['password', 'stands beside passwordFile: keep one'] as [keyof Login, string]]
      : []),
  ];
}

export const sasl = z
  .union([z.preprocess((value) => (value === 'false' ? false : value), z.literal(false)), login], {
    error: 'must be false or a mapping of mechanism, username and passwordFile',
  })
  .prefault(false)
  .meta({ description: 'Login at the brokers: `false`, or a mapping.', 'x-type': '`false` or a mapping' });
