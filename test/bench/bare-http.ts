/** node:http with nothing around it, answering every request with the same JSON: `node bare-http.ts PORT BODY`. */

import { createServer } from 'node:http';
import process from 'node:process';

const [port, body = ''] = process.argv.slice(2);
const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
const server = createServer((_, response) => {
  response.writeHead(200, headers);
  response.end(body);
});
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('listening\n'));
