import { isIP } from 'node:net';
import { AuthenticationError, type ConnectionOptions, SASLMechanisms, type SASLOptions } from '@platformatic/kafka';
import type { SaslOptions } from '../../options.ts';
import { readLogin, readTls } from '../credentials.ts';
import type { KafkaClientOptions } from '../kafka-client.ts';

const MECHANISMS = {
  plain: SASLMechanisms.PLAIN,
  'scram-sha-256': SASLMechanisms.SCRAM_SHA_256,
  'scram-sha-512': SASLMechanisms.SCRAM_SHA_512,
} as const;
const ADDRESS = /^\[?(.*?)\]?:\d+$/;

type Secured = Pick<KafkaClientOptions, 'brokers' | 'tls' | 'sasl'>;

/**
 * `tls` and `sasl` as @platformatic/kafka takes them.
 * @throws SluiceError when a file of `tls` cannot be used
 */
export function securityOptions({ brokers, tls, sasl }: Secured): ConnectionOptions {
  const login = sasl === false ? {} : { sasl: loginAs(sasl) };
  if (tls === false) return login;
  const { secureContext, servername } = readTls(tls === true ? {} : tls);
  // True asks for the host by SNI, which must not be an address (RFC 6066, 3); Node checks it in the certificate all the same.
  const tlsServerName = servername ?? brokers.every((broker) => isIP(ADDRESS.exec(broker)?.[1] ?? '') === 0);
  return { ...login, tls: { secureContext }, tlsServerName };
}

/** Reads its files anew at each login. */
function loginAs(options: SaslOptions): SASLOptions {
  const secret = (): string => {
    const login = readLogin(options);
    return login.mechanism === 'oauthbearer' ? login.token : login.password;
  };
  if (options.mechanism !== 'oauthbearer') {
    return { mechanism: MECHANISMS[options.mechanism], username: options.username ?? '', password: secret };
  }
  return {
    mechanism: SASLMechanisms.OAUTHBEARER,
    token: secret,
    // A broker that refuses the token says why here, and waits (RFC 7628, 3.2.3); the library takes any answer for a yes.
    authBytesValidator: (answer, callback) => {
      if (answer.length === 0) callback(null, answer);
      else callback(new AuthenticationError(`the token was refused: ${answer.toString()}`), answer);
    },
  };
}
