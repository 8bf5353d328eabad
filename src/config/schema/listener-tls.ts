import { path } from './options.ts';

/** The files that every listener with TLS needs. */
export const certificateFiles = {
  certFile: path().meta({
    description:
      'Certificate of the listener, and behind it those between it and its authority, PEM. It is read again by itself when it changes.',
    'x-type': 'path',
    'x-sample': 'server.pem',
  }),
  keyFile: path().meta({
    description: 'Private key of `certFile`, PEM, without a passphrase.',
    'x-type': 'path',
    'x-sample': 'server-key.pem',
  }),
};
