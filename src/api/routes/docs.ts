import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Api, ApiContext } from '../context.ts';

/** What the page is made of: address → file and type. No name from the network ever reaches the file system. */
const FILES = {
  '/docs': ['docs.html', 'text/html; charset=utf-8'],
  '/docs/start.js': ['docs.js', 'text/javascript; charset=utf-8'],
  '/docs/swagger-ui-bundle.js': ['swagger-ui/swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
  '/docs/swagger-ui.css': ['swagger-ui/swagger-ui.css', 'text/css; charset=utf-8'],
} as const;

/** The page may load and ask what is here, and nothing else (its icons are data: addresses). */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** A page to browse /openapi.json with, from this machine alone. */
export function docsRoutes(app: Api, { webDirectory }: ApiContext): void {
  for (const [path, [file, type]] of Object.entries(FILES)) {
    app.get(path, (c) => {
      // In pieces: what many ask for at once is never in memory as a whole.
      const body = Readable.toWeb(createReadStream(join(webDirectory, file)));
      const headers = { 'content-type': type, 'content-security-policy': POLICY, 'referrer-policy': 'no-referrer' };
      return c.body(body as ReadableStream, 200, headers);
    });
  }
}
