import type { AuthenticationProviderArgs, Authenticator, Mechanism, SASLOptions } from 'kafkajs';
import type { SaslOptions } from '../../options.ts';
import { type Login, readLogin } from '../credentials.ts';
import { authenticators } from './load.ts';

/**
 * A login that reads its files anew each time. What goes wrong is thrown as it is: kafkajs itself makes a refused
 * password of everything, a lost connection too.
 */
export function loginAs(sasl: SaslOptions): Mechanism {
  const authenticationProvider = (parts: AuthenticationProviderArgs): Authenticator => ({
    authenticate: async () => {
      const options = optionsOf(readLogin(sasl));
      let cause: unknown;
      const saslAuthenticate: typeof parts.saslAuthenticate = (exchange) =>
        parts.saslAuthenticate({ response: NO_COMPLAINT, ...exchange }).catch((thrown: unknown) => {
          cause = thrown;
          throw thrown;
        });
      try {
        await authenticators[sasl.mechanism](options)({ ...parts, saslAuthenticate }).authenticate();
      } catch (thrown) {
        throw cause ?? thrown;
      }
    },
  });
  return { mechanism: sasl.mechanism, authenticationProvider };
}

const LENGTH_BYTES = 4;

/**
 * For exchanges of which kafkajs ignores the answer: with a bad token it says what is wrong (RFC 7628, 3.2.2), and
 * whatever is asked next is refused.
 */
const NO_COMPLAINT = {
  decode: (answer: Buffer): Buffer => answer,
  parse: (answer: Buffer): never => {
    const complaint = answer.subarray(LENGTH_BYTES).toString();
    if (complaint === '') return undefined as never;
    throw Object.assign(new Error(complaint), { type: 'SASL_AUTHENTICATION_FAILED' });
  },
};

function optionsOf(login: Login): SASLOptions {
  if (login.mechanism !== 'oauthbearer') return login;
  const { mechanism, token } = login;
  return { mechanism, oauthBearerProvider: async () => ({ value: token }) };
}
