import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One HTTP request over a connection of its own, with every header as it is given. */
export async function ask(options: RequestOptions, body = ''): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const place = options.socketPath === undefined ? { host: '127.0.0.1' } : {};
  const given = Object.entries(options.headers ?? {}).filter(([, value]) => value !== undefined);
  const asked = request({ agent: false, ...place, ...options, headers: Object.fromEntries(given) }, (response) => {
    const { statusCode: status, headers } = response;
    text(response).then((answer) => resolve({ status, headers, body: answer }), reject);
  });
  asked.once('error', reject).end(body);
  return promise;
}
