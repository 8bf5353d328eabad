import { z } from 'zod';
import { isLoopback } from '../loopback.ts';
import { checkDistinct, host, isHost, port } from './listener.ts';
import { certificateFiles } from './listener-tls.ts';
import { ANY_LIST, count, flag, flagAbout, path, section, size } from './options.ts';

const listener = section({
  host: host(),
  port: port(8080),
  tls: section(certificateFiles).optional().meta({
    description: 'Encryption, with a certificate that shows clients who they talk to. When left out: none.',
  }),
  anonymous: flag()
    .optional()
    .meta({
      ...flagAbout(
        'Whether requests may come without a token. When left out: on a loopback address yes. Elsewhere always no. `false` on a loopback address is for a proxy in front.',
      ),
      'x-sample': true,
    }),
})
  .transform(({ anonymous, ...rest }) => ({ ...rest, anonymous: anonymous ?? isLoopback(rest.host) }))
  .refine(({ host: address, anonymous }) => !anonymous || isLoopback(address), {
    path: ['anonymous'],
    message: 'cannot be true but on a loopback address: set api.tokensFile instead',
  });

const allowedHosts = z
  .array(z.string({ error: 'must be text: a host name' }).refine(isHost, 'must be a host name or an IP address'))
  .max(64)
  .prefault([])
  .meta({
    description:
      "Names that the API answers to beside its addresses and `localhost`, such as that of a proxy in front. This machine's host name needs no entry where a token is needed.",
    'x-type': 'list of host names',
  });

const corsOrigins = z
  .array(
    z
      .string({ error: 'must be text: an origin such as https://panel.example.net' })
      .refine(isOrigin, 'must be an origin such as https://panel.example.net, without a path'),
  )
  .max(64)
  .prefault([])
  .meta({
    description: 'Origins whose web pages may use the API from a browser (CORS).',
    'x-type': 'list of origins',
  });

function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text;
}

export const api = section({
  listeners: z.array(listener).max(16).superRefine(checkDistinct, ANY_LIST).prefault([{}]).meta({
    description:
      'Addresses where the REST API answers. An empty list switches it off; the command line works without it.',
  }),
  tokensFile: path().optional().meta({
    description:
      'File with the tokens that requests from the network need, one a line; docs/api.md says how to make it. Read again when it changes.',
    'x-type': 'path',
    'x-sample': '/etc/sluice/api-tokens',
  }),
  allowedHosts,
  corsOrigins,
  maxRequestRate: count(
    200,
    'Requests per second of one client address, or of one token there, where a token is needed; more are answered 429. 0: no limit.',
    { min: 0, max: 1_000_000, unit: 'requests/s' },
  ),
  maxBodySize: size('256KiB', 'Largest body of a request.', { min: '1KiB', max: '64MiB' }),
}).superRefine(({ listeners, tokensFile }, context) => {
  if (tokensFile !== undefined) return;
  for (const [index, { anonymous }] of listeners.entries()) {
    if (anonymous) continue;
    context.addIssue({ code: 'custom', path: ['listeners', index], message: TOKENS_NEEDED });
  }
});

const TOKENS_NEEDED =
  'needs tokens: set api.tokensFile to a file that holds some (docs/api.md says how to make it), or listen on 127.0.0.1';
