import { z } from 'zod';
import { isLoopback } from '../loopback.ts';
import { host, port } from './listener.ts';
import { certificateFiles } from './listener-tls.ts';
import { ANY_MAPPING, flag, flagAbout, path, section } from './options.ts';

const tls = section({
  ...certificateFiles,
  caFile: path().optional().meta({
    description:
      'Certificates of authorities, PEM. A client that shows a certificate of theirs is the device that its common name says, and needs no password.',
    'x-type': 'path',
    'x-sample': 'clients-ca.pem',
  }),
  requireClientCertificate: flag()
    .prefault(false)
    .meta(flagAbout('Whether only clients with a certificate are let in. Needs `caFile`.')),
})
  .refine(({ caFile, requireClientCertificate }) => caFile !== undefined || requireClientCertificate !== true, {
    ...ANY_MAPPING,
    path: ['requireClientCertificate'],
    message: 'needs caFile: the authorities of the client certificates',
  })
  .optional()
  .meta({ description: 'Encryption, with a certificate that shows clients who they talk to. When left out: none.' });

const ORIGIN = 'an origin such as https://panel.example or http://192.168.1.20:3000';

const allowedOrigins = z
  .array(
    z.string({ error: `must be text: ${ORIGIN}` }).transform((text, context) => {
      const url = /^https?:\/\/[^/?#@]+$/i.test(text) ? URL.parse(text) : null;
      if (url !== null) return url.origin;
      context.addIssue({ code: 'custom', message: `must be ${ORIGIN}` });
      return z.NEVER;
    }),
  )
  .max(64)
  .prefault([])
  .meta({
    description:
      "Web pages that may connect over WebSocket, by their origin, beside those of the listener's own address.",
    'x-type': 'list of origins',
  });

/** One address of `mqtt.listeners`. */
export const mqttListener = section({
  host: host(),
  port: port(1883),
  tls,
  websocket: flag()
    .prefault(false)
    .meta(flagAbout('Whether clients come over WebSocket, at `/mqtt`, instead of bare TCP or TLS.')),
  allowedOrigins,
  anonymous: flag()
    .optional()
    .meta({
      ...flagAbout(
        'Whether clients may come without name and password or certificate. When left out: on a loopback address yes, elsewhere and with `requireClientCertificate` no. `true` elsewhere lets everybody on the network publish.',
      ),
      'x-sample': true,
    }),
})
  .superRefine(({ anonymous, tls, websocket, allowedOrigins }, context) => {
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (anonymous === true && tls?.requireClientCertificate === true) {
      refuse('anonymous', 'contradicts tls.requireClientCertificate: take one of them out');
    }
    if (websocket === false && allowedOrigins?.length > 0) {
      refuse('allowedOrigins', 'is of use only with websocket: true');
    }
  }, ANY_MAPPING)
  .transform(({ anonymous, ...rest }) => ({
    ...rest,
    anonymous: anonymous ?? (isLoopback(rest.host) && rest.tls?.requireClientCertificate !== true),
  }));
