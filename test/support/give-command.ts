/** Commands over the API, as a program on the LAN gives them. */

import type { GatewayProcess } from './gateway-process.ts';

export interface CommandJson {
  readonly request_id: string;
  readonly state: string;
  readonly status: number | null;
  readonly result: unknown;
  readonly error: string | null;
  readonly sent_at: string | null;
}

export interface Given {
  readonly params?: unknown;
  readonly timeoutMs?: number;
  /** Default true: resolves when the device has answered. */
  readonly wait?: boolean;
}

export async function giveCommand(
  { apiPort }: Pick<GatewayProcess, 'apiPort'>,
  device: string,
  name: string,
  { params = null, timeoutMs = 15_000, wait = true }: Given = {},
): Promise<CommandJson> {
  const url = `http://127.0.0.1:${apiPort}/v1/devices/${device}/commands/${name}${wait ? '?wait=15s' : ''}`;
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ params, timeout_ms: timeoutMs }),
  });
  return (await response.json()) as CommandJson;
}

export async function stateOf(
  gateway: Pick<GatewayProcess, 'get'>,
  { request_id }: Pick<CommandJson, 'request_id'>,
): Promise<string> {
  return ((await gateway.get(`/v1/commands/${request_id}`)) as CommandJson).state;
}
